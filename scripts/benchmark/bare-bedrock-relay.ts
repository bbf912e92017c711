// The least that a relay from the Messages API to Bedrock can do: rewrite, sign, decode frames, write events.
import { AwsClient } from 'aws4fetch'

const [port, upstream] = [Number(process.env.PORT), process.env.UPSTREAM]
const aws = new AwsClient({ accessKeyId: 'AKIABENCHMARK', secretAccessKey: 'a-secret-of-the-bench', region: 'us-east-1', service: 'bedrock' })
const HEAD_BYTES = 12

Bun.serve({
  hostname: '127.0.0.1',
  port,
  idleTimeout: 0,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  async fetch(request) {
    if (new URL(request.url).pathname === '/readyz') return new Response('ready')
    const { model, stream, ...body } = (await request.json()) as Record<string, unknown>
    const operation = stream === true ? 'invoke-with-response-stream' : 'invoke'
    const signed = await aws.sign(`${upstream}/model/${encodeURIComponent(`anthropic.${model}`)}/${operation}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, anthropic_version: 'bedrock-2023-05-31' }),
    })
    const answer = await fetch(signed)
    return new Response(answer.body && eventsOf(answer.body), { headers: { 'content-type': 'text/event-stream' } })
  },
})

/** Without a look at the checksums. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let held: Buffer = Buffer.alloc(0)
  for await (const bytes of body) {
    held = held.length === 0 ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) : Buffer.concat([held, bytes])
    let text = ''
    for (; held.length >= HEAD_BYTES && held.length >= held.readUInt32BE(0); held = held.subarray(held.readUInt32BE(0))) {
      const payload = held.toString('utf8', HEAD_BYTES + held.readUInt32BE(4), held.readUInt32BE(0) - 4)
      const json = Buffer.from(JSON.parse(payload).bytes, 'base64').toString('utf8')
      text += `event: ${JSON.parse(json).type}\ndata: ${json}\n\n`
    }
    if (text !== '') yield text
  }
}
