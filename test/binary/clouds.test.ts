// Every provider through the compiled file: a prompt as Claude Code sends it streams back whole, and the audit trail has
// the tokens that the cloud says it served.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { claudeCodeBody, CLAUDE_CODE_HEADERS } from '../support/claude-code-request.ts'
import { accessOf, answerAll, AWS_KEYS, ONE_EACH, startCloudWorld, tampered, type CloudWorld, type Place } from '../support/cloud-world.ts'
import { createInstallation, listening, type Installation } from './installation.ts'
import type { Program } from './program.ts'

type Json = Record<string, any>

/** What each calls Claude Opus 4.8, which all of them have. */
const OPUS: Record<string, string> = {
  bedrock: 'us.anthropic.claude-opus-4-8',
  mantle: 'anthropic.claude-opus-4-8',
  anthropicAws: 'claude-opus-4-8',
  vertex: 'claude-opus-4-8',
  anthropicGoogleCloud: 'claude-opus-4-8',
  foundry: 'claude-opus-4-8',
}
/** A model of the operator's own for each, so that the name alone decides where a request goes. */
const modelOf = (provider: string) => `opus-by-${provider}`
const STREAMS = 20
/** By the ways that load the clouds' packages: shared files on AWS, a managed identity on Azure. */
const ACCESSES_OF_BINARY = ONE_EACH.map((access) => (access.provider === 'foundry' ? accessOf('foundry as a managed identity') : access))

let clouds: CloudWorld
let installation: Installation
let program: Program
let token: string
const places = new Map<string, Place>()

beforeAll(async () => {
  clouds = await startCloudWorld()
  installation = await createInstallation()
  for (const access of ACCESSES_OF_BINARY) places.set(access.provider, await clouds.place(access, access.provider === 'bedrock' ? { upstream: { auth: {} } } : {}))
  const keyFile = `${installation.directory}/aws-credentials`
  await Bun.write(keyFile, `[default]\naws_access_key_id = ${AWS_KEYS.aws_access_key_id}\naws_secret_access_key = ${AWS_KEYS.aws_secret_access_key}\n`)
  const models = Object.entries(OPUS).map(([provider, id]) => ({ id: modelOf(provider), upstream_model: { [provider]: id } }))
  await installation.configure({ upstreams: [...places.values()].map(({ upstream }) => upstream), models })
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(AWS|GCE|CLOUDSDK|AZURE|IDENTITY)_/.test(name))) as Record<string, string>
  program = installation.serve({ env: { ...env, AWS_SHARED_CREDENTIALS_FILE: keyFile } })
  await listening(program)
  token = await installation.signIn()
})
afterAll(async () => {
  await installation.remove()
  await clouds.stop()
})

const post = (path: string, body: string) => fetch(installation.url + path, { method: 'POST', body, headers: { ...CLAUDE_CODE_HEADERS, authorization: `Bearer ${token}` } })
const ask = (model: string, stream = true) => post('/v1/messages?beta=true', claudeCodeBody({ model, stream }))

/** The audit line of the request that was answered so. */
async function audited(response: Response): Promise<Json> {
  const id = response.headers.get('x-request-id')
  const [line] = await program.printed(new RegExp(`^\\{.*"evt":"inference","request_id":"${id}".*$`, 'm'))
  return JSON.parse(line) as Json
}

const tokensOf = (line: Json) => ({ input: line.input_tokens, output: line.output_tokens, cacheRead: line.cache_read_tokens, cacheWrite5m: line.cache_write_5m_tokens ?? 0, cacheWrite1h: line.cache_write_1h_tokens ?? 0 })

describe.each(ONE_EACH.map(({ provider }) => provider))('%s through the compiled file', (provider) => {
  const model = modelOf(provider)

  test('streams a prompt of Claude Code whole, with the usage that the cloud served', async () => {
    const { cloud } = places.get(provider) as Place
    // What this cloud refuses of it is learned from the first one.
    await (await ask(model)).text()
    cloud.served.length = 0
    let seed = 1
    answerAll(cloud, () => tampered({ seed: seed++ }))
    for (let n = 0; n < STREAMS; n++) {
      const response = await ask(model)
      const text = await response.text()
      expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/event-stream/)])
      expect(text).toEndWith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
      const { model: _, complete, ...tokens } = cloud.served.at(-1) as Json
      const line = await audited(response)
      expect([complete, line.outcome, line.upstream, tokensOf(line)]).toEqual([true, 'completed', provider, tokens as never])
    }
    expect(cloud.served).toHaveLength(STREAMS)
  })

  test('answers without a stream, and counts tokens', async () => {
    const { cloud } = places.get(provider) as Place
    const answer = (await (await ask(model, false)).json()) as Json
    expect([answer.type, answer.role]).toEqual(['message', 'assistant'])
    const { messages, tools } = JSON.parse(claudeCodeBody({ model })) as Json
    const count = await post('/v1/messages/count_tokens?beta=true', JSON.stringify({ model, messages, tools }))
    expect([count.status, await count.json()]).toEqual([200, { input_tokens: cloud.counted.at(-1) as number }])
  })
})

test('nothing that the program printed holds a credential', () => {
  for (const secret of ['cloud-api-key-canary', 'secret/with+signs', 'google-1', token]) expect(program.stderr() + program.stdout()).not.toContain(secret)
})
