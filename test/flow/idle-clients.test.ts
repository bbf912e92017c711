// Takes half a minute: the runtime looks at idle connections every four seconds only.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { startWorld, type World } from '../support/gateway.ts'
import { messageEvents } from '../support/upstream.ts'

let world: World
let token: string
beforeAll(async () => {
  world = await startWorld({ idleSeconds: 8 })
  token = (await world.signIn()).access_token
})
afterAll(() => world.stop())

interface Caller {
  text(): string
  closed: Promise<void>
}

/** Sends `head`, then `drip` every second for as long as the connection stands. */
function call(head: string, drip?: string): Caller {
  const socket = connect(Number(new URL(world.gateway.url).port), '127.0.0.1', () => socket.write(head))
  const dripping = drip === undefined ? undefined : setInterval(() => socket.write(drip), 1000)
  let text = ''
  socket.on('data', (bytes) => (text += bytes.toString('latin1')))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      clearInterval(dripping)
      resolve()
    })
  })
  return { text: () => text, closed }
}

const FORM = 'Host: gw\r\nContent-Type: application/x-www-form-urlencoded\r\n'

// T312
describe('a caller who keeps a connection for nothing is cut off', () => {
  test.concurrent.each([
    ['a form that never comes', `POST /oauth/token HTTP/1.1\r\n${FORM}Content-Length: 1000\r\n\r\na`, undefined],
    ['a form byte by byte', `POST /oauth/token HTTP/1.1\r\n${FORM}Content-Length: 1000\r\n\r\na`, 'a'],
    ['a form chunk by chunk', `POST /oauth/device_authorization HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\n\r\n`, '1\r\na\r\n'],
    ['a body nobody reads', 'POST /v1/messages HTTP/1.1\r\nHost: gw\r\nContent-Length: 1000000000\r\n\r\n', 'a'],
    ['a connection after its answer', 'GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n', undefined],
  ])('%s', async (_, head, drip) => {
    await call(head, drip).closed
  }, 40_000)

  test.concurrent('a Messages request byte by byte, before it costs an upstream anything', async () => {
    await call(`POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nContent-Length: 1000\r\n\r\n{`, ' ').closed
  }, 40_000)
})

// T190
test.concurrent.each([true, false])('an answer is waited for beyond that (stream: %p), and its connection is cut after it', async (stream) => {
  const body = JSON.stringify({ model: 'claude-sonnet-5', max_tokens: 1, stream, messages: [] })
  const patience = Promise.withResolvers<void>()
  world.upstream.enqueue(async (answer, request) => {
    if (request.json().stream) {
      answer.head(200, { 'content-type': 'text/event-stream' })
      await answer.chunk('event: half of')
      await patience.promise
      await answer.chunk(` one\n\n${messageEvents().at(-1)}`)
      answer.end()
    } else {
      await patience.promise
      answer.send(200, { 'content-type': 'application/json' }, '{"whole":true}')
    }
  })
  const waiting = call(`POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  while (!world.upstream.requests.some((request) => request.json().stream === stream)) await new Promise(setImmediate)
  // Two callers one after the other are cut, so that the limit has passed for this one as well.
  for (let n = 0; n < 2; n++) await call('GET /healthz HTTP/1.1\r\nHost: gw\r\n\r\n').closed
  patience.resolve()
  await waiting.closed
  expect(waiting.text()).toContain(stream ? 'message_stop' : '{"whole":true}')
}, 60_000)
