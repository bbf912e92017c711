import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { startWorld, type World } from '../support/gateway.ts'
import { answerError, answerJson, answerStream, messageEvents, startUpstream, type TestUpstream } from '../support/upstream.ts'

/** All but claude-opus-5, which nobody may use. */
const MODELS = ['sonnet-5', 'sonnet-5-5', 'sonnet-4-6', 'opus-5-5', 'opus-4-8', 'opus-4-7', 'opus-4-6', 'haiku-5-5', 'haiku-4-5', 'fable-5', 'fable-5-1', 'fable-5-2', 'mythos-5', 'mythos-5-1', 'mythos-5-2'].map((name) => `claude-${name}`)

let world: World
let second: TestUpstream
let token: string
beforeAll(async () => {
  second = await startUpstream()
  const first = await startUpstream()
  world = await startWorld({
    config: {
      upstreams: [
        { name: 'first', provider: 'anthropic', base_url: first.url, auth: { api_key: 'sk-first-canary' }, timeouts: { upstream_ttfb_ms: 300 } },
        { name: 'second', provider: 'anthropic', base_url: second.url, auth: { oauth_token: 'sk-ant-oat01-second-canary' }, headers: { 'x-house': 'yes' } },
      ],
      limits: { max_request_bytes: 100_000 },
      managed: { policies: [{ match: {}, cli: { availableModels: MODELS } }] },
    },
  })
  await world.upstream.stop()
  world.upstream = first
  token = (await world.signIn()).access_token
})
afterAll(async () => {
  await second.stop()
  await world.stop()
})
afterEach(() => {
  world.upstream.requests.length = 0
  second.requests.length = 0
})

const ask = { model: 'claude-sonnet-5', max_tokens: 10, messages: [{ role: 'user', content: 'ping' }] }
const send = (body: unknown = ask, headers: Record<string, string> = {}) => world.gateway.post('/v1/messages?beta=true', body, token, headers)
const error = async (response: Response) => ((await response.json()) as { error: { type: string; message: string } }).error
const reportOf = (response: Response) => {
  const id = response.headers.get('x-request-id')
  return world.gateway.saw('inference', ({ request_id }) => request_id === id)
}

describe('a request that is not one', () => {
  test.each([
    ['{not json', 400, 'invalid_request_error', 'invalid JSON'],
    ['', 400, 'invalid_request_error', 'invalid JSON'],
    ['[]', 400, 'invalid_request_error', 'request body must be a JSON object'],
    ['{}', 400, 'invalid_request_error', 'model is required'],
    ['{"model":""}', 400, 'invalid_request_error', 'model is required'],
    ['{"model":7}', 400, 'invalid_request_error', 'model must be a string'],
    ['{"model":{"a":1}}', 400, 'invalid_request_error', 'model must be a string'],
    ['{"model":"gpt-9"}', 400, 'invalid_request_error', "model gpt-9 is not in the operator's model allowlist"],
    ['{"model":"claude-opus-5"}', 400, 'invalid_request_error', "model claude-opus-5 is not in your role's availableModels allowlist"],
  ])('%s is refused without a call to an upstream', async (body, status, type, message) => {
    const response = await send(body)
    expect(response.status).toBe(status)
    expect(await error(response)).toEqual({ type, message })
    expect(world.upstream.requests).toHaveLength(0)
  })

  test.each(['/v1/messages', '/v1/messages/count_tokens'])('is in the audit log under its own path, %s', async (path) => {
    const response = await world.gateway.post(path, { model: 'claude-opus-5' }, token)
    const id = response.headers.get('x-request-id')
    expect(await world.gateway.saw('inference.denied', ({ request_id }) => request_id === id)).toMatchObject({ path, reason: 'not_in_policy', model: 'claude-opus-5' })
  })

  test('is refused with 413 in the envelope when it is too large, by its length or by its chunks', async () => {
    const large = JSON.stringify({ ...ask, system: 'x'.repeat(150_000) })
    const declared = await send(large)
    expect([declared.status, (await error(declared)).type]).toEqual([413, 'request_too_large'])
    const chunks = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(large))
        controller.close()
      },
    })
    const chunked = await fetch(`${world.gateway.url}/v1/messages`, { method: 'POST', body: chunks, headers: { authorization: `Bearer ${token}` } })
    expect(chunked.status).toBe(413)
    expect(world.upstream.requests).toHaveLength(0)
  })

  test('is refused with 415 when it is compressed', async () => {
    expect((await send(ask, { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  test.each([
    { fallbacks: [{ model: 'claude-opus-5' }] },
    { tools: [{ type: 'advisor_20260301', name: 'advisor', model: 'claude-opus-5' }] },
  ])('is refused when it names another model that is not the person’s: %j', async (more) => {
    const response = await send({ ...ask, ...more })
    expect([response.status, (await error(response)).message]).toEqual([400, `${Object.keys(more)[0]}.0.model: model claude-opus-5 is not in your role's availableModels allowlist`])
    expect(world.upstream.requests).toHaveLength(0)
    expect((await send({ ...ask, fallbacks: [{ model: 'claude-haiku-4-5' }] })).status).toBe(200)
  })

  test('is refused with 401 without a bearer, with the header that keeps the client from retrying', async () => {
    const response = await world.gateway.post('/v1/messages', ask)
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([401, 'false'])
    expect(await error(response)).toEqual({ type: 'authentication_error', message: 'invalid token' })
  })
})

describe('what goes upstream', () => {
  test('is the very bytes of the client, with the credential of the gateway and none of the client', async () => {
    const body = `{"model":"claude-sonnet-5", "n":1.0, "big":12345678901234567890,"messages":[]}`
    await (await send(body, { 'x-api-key': token, cookie: 'session=canary', 'x-claude-code-session-id': 's', 'anthropic-beta': 'a, request-tags-2026-08-21', 'anthropic-workspace-id': 'wrkspc_other', 'anthropic-organization-id': 'other' })).text()
    const [request] = world.upstream.requests
    expect(request?.body.toString()).toBe(body)
    expect(request?.path).toBe('/v1/messages?beta=true')
    expect(request?.headers).toMatchObject({ 'x-api-key': 'sk-first-canary', 'anthropic-beta': 'a', 'anthropic-version': '2023-06-01', 'accept-encoding': 'identity' })
    expect(request?.headers['user-agent']).toMatch(/ gatehouse\/\d/)
    expect(JSON.stringify(request?.headers)).not.toContain(token)
    for (const name of ['authorization', 'cookie', 'x-claude-code-session-id', 'anthropic-workspace-id', 'anthropic-organization-id']) expect(request?.headers).not.toHaveProperty(name)
  })

  test('names a dateless model as the provider does, and leaves the tags here', async () => {
    await (await send({ tags: ['a'], ...ask, model: 'claude-haiku-4-5' })).text()
    expect(world.upstream.requests[0]?.json()).toEqual({ ...ask, model: 'claude-haiku-4-5-20251001' })
  })

  test('carries an OAuth token with its beta, and the static headers', async () => {
    world.upstream.enqueue(answerError(503, 'away'))
    await (await send()).text()
    expect(second.requests[0]?.headers).toMatchObject({ authorization: 'Bearer sk-ant-oat01-second-canary', 'anthropic-beta': 'oauth-2025-04-20', 'x-house': 'yes' })
    expect(second.requests[0]?.headers).not.toHaveProperty('x-api-key')
  })
})

describe('when an upstream fails', () => {
  let sent = 0
  /** Each time another model: one that fails again and again would be left alone for a while. */
  const sendAnother = () => send({ ...ask, model: MODELS[sent++ % MODELS.length] })

  test.each([401, 402, 403, 404, 429, 500, 501, 502, 503, 529, 302])('the next one answers after a %d, and nothing of the failure reaches the client', async (status) => {
    world.upstream.enqueue(answerError(status, 'canary of the first', { location: second.url }))
    const response = await sendAnother()
    expect(response.status).toBe(200)
    expect(await response.text()).not.toContain('canary')
    expect(await reportOf(response)).toMatchObject({ upstream: 'second', attempts: 2, status: 200 })
  })

  test('the next one answers after a reset, and after silence', async () => {
    world.upstream.enqueue((answer) => answer.reset(), () => {})
    expect((await sendAnother()).status).toBe(200)
    expect((await sendAnother()).status).toBe(200)
    expect(second.requests).toHaveLength(2)
  })

  test.each([400, 409, 413, 422])('a %d is the request’s own fault: it is final and unchanged', async (status) => {
    world.upstream.enqueue(answerError(status, 'prompt is too long'))
    const response = await sendAnother()
    expect(response.status).toBe(status)
    expect((await error(response)).message).toBe('prompt is too long')
    expect(second.requests).toHaveLength(0)
  })

  test.each([
    [429, 500, 429],
    [500, 429, 429],
    [401, 500, 401],
    [404, 403, 403],
    [404, 500, 404],
    [501, 500, 501],
    [500, 529, 529],
  ])('all failed with %d and %d: the client hears %d in the upstream’s words', async (one, two, told) => {
    world.upstream.enqueue(answerError(one, `says ${one}`, { 'retry-after': '7' }))
    second.enqueue(answerError(two, `says ${two}`, { 'retry-after': '7' }))
    const response = await sendAnother()
    expect(response.status).toBe(told)
    expect(response.headers.get('retry-after')).toBe('7')
    expect((await error(response)).message).toBe(`says ${told}`)
    expect(await reportOf(response)).toMatchObject({ outcome: 'failed', status: told, attempts: 2 })
  })

  test('all failed for good: 502 says how many were tried', async () => {
    world.upstream.enqueue(answerError(500, 'canary'))
    second.enqueue((answer) => answer.reset())
    const response = await sendAnother()
    expect([response.status, await error(response)]).toEqual([502, { type: 'api_error', message: 'all upstreams failed (2 attempted)' }])
  })
})

describe('an answer', () => {
  test('has its headers before its first byte', async () => {
    const gate = Promise.withResolvers<void>()
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      await gate.promise
      for (const event of messageEvents()) await answer.chunk(event)
      answer.end()
    })
    const response = await send({ ...ask, stream: true })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    gate.resolve()
    // The comment that carried the headers means nothing to a reader of events.
    expect(await response.text()).toBe(`:\n\n${messageEvents().join('')}`)
  })

  test('arrives event by event, as the upstream sends it', async () => {
    const gates = messageEvents().map(() => Promise.withResolvers<void>())
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const [at, event] of messageEvents().entries()) {
        await answer.chunk(event)
        await gates[at]?.promise
      }
      answer.end()
    })
    const reader = (await send({ ...ask, stream: true })).body!.getReader()
    let text = ''
    for (const [at, event] of messageEvents().entries()) {
      while (text.length < messageEvents().slice(0, at + 1).join('').length) text += Buffer.from((await reader.read()).value as Uint8Array).toString()
      expect(text.endsWith(event)).toBe(true)
      gates[at]?.resolve()
    }
  })

  test('loses nothing when every byte comes alone', async () => {
    const text = messageEvents().join('')
    world.upstream.enqueue(answerStream([...text]))
    const response = await send({ ...ask, stream: true })
    expect(await response.text()).toBe(text)
    expect(await reportOf(response)).toMatchObject({ outcome: 'completed', output_tokens: 500 })
  })

  test('shows the client nothing of the account behind the gateway', async () => {
    world.upstream.enqueue(answerJson(200, { ok: true }, { 'set-cookie': 'canary=1', 'anthropic-organization-id': 'canary', 'anthropic-ratelimit-requests-limit': 'canary', server: 'canary', 'x-canary': 'canary' }))
    const response = await send()
    expect(JSON.stringify([...response.headers])).not.toContain('canary')
    expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
  })

  // T183, T185, B23
  test('that nobody waits for any more is ended at the upstream within a second, and reported with its tokens', async () => {
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      for (const event of messageEvents('claude-sonnet-5', ['pong from upstream']).slice(0, 4)) await answer.chunk(event)
    })
    const leaving = new AbortController()
    const response = await fetch(`${world.gateway.url}/v1/messages`, { method: 'POST', body: JSON.stringify({ ...ask, stream: true }), headers: { authorization: `Bearer ${token}` }, signal: leaving.signal })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    for (let text = ''; !text.includes('pong'); text += (await reader.read()).value);
    leaving.abort()
    await world.upstream.requests[0]?.closed
    // 18 characters were sent
    expect(await reportOf(response)).toMatchObject({ outcome: 'client_gone', input_tokens: 1000, output_tokens: 5 })
  })

  test('that has not begun is ended too when the client goes', async () => {
    world.upstream.enqueue(() => {})
    second.enqueue(() => {})
    const socket = connect(Number(new URL(world.gateway.url).port), '127.0.0.1')
    const body = JSON.stringify(ask)
    socket.write(`POST /v1/messages HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    while (world.upstream.requests.length === 0) await new Promise(setImmediate)
    socket.destroy()
    await world.upstream.requests[0]?.closed
    expect(await world.gateway.saw('inference', ({ status }) => status === 499)).toMatchObject({ outcome: 'client_gone', attempts: 1 })
  })

  // T187
  test('that breaks off says so to a reader of events', async () => {
    const arrived = Promise.withResolvers<void>()
    const half = `${messageEvents()[0]}event: content_bl`
    world.upstream.enqueue(async (answer) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      await answer.chunk(half)
      await arrived.promise
      answer.reset()
    })
    const response = await send({ ...ask, stream: true })
    let text = ''
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
      if (text === half) arrived.resolve()
    }
    expect(text).toBe(half + '\n\nevent: error\ndata: {"type":"error","error":{"type":"api_error","message":"the upstream connection was lost"}}\n\n')
    expect(await reportOf(response)).toMatchObject({ outcome: 'upstream_broke', input_tokens: 1000 })
  })

  test('that breaks off in JSON breaks the connection, so that nobody takes it for whole', async () => {
    world.upstream.enqueue((answer) => {
      answer.raw('HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"half":')
      answer.reset()
    })
    const outcome = await send().then((response) => response.text()).then(() => 'whole', () => 'broken')
    expect(outcome).toBe('broken')
  })

  // T196
  test('waits for a slow reader instead of filling memory', async () => {
    let pushed = 0
    const chunk = `data: ${'x'.repeat(65_536)}\n\n`
    const gone = Promise.withResolvers<void>()
    world.upstream.enqueue(async (answer, request) => {
      answer.head(200, { 'content-type': 'text/event-stream' })
      let open = true
      void request.closed.then(() => (open = false))
      while (open && pushed < 400_000_000) {
        await answer.chunk(chunk)
        pushed += chunk.length
        await new Promise(setImmediate)
      }
      gone.resolve()
    })
    const leaving = new AbortController()
    const response = await fetch(`${world.gateway.url}/v1/messages`, { method: 'POST', body: JSON.stringify({ ...ask, stream: true }), headers: { authorization: `Bearer ${token}` }, signal: leaving.signal })
    const reader = response.body!.getReader()
    await reader.read()
    // The upstream has stopped when a while brings nothing more.
    for (let before = -1; before !== pushed; ) {
      before = pushed
      await Bun.sleep(200)
    }
    expect(pushed).toBeLessThan(64_000_000)
    leaving.abort()
    // Named to the end: a reader that nobody can use any more is collected, and its connection closed.
    await reader.closed.catch(() => {})
    await gone.promise
  }, 30_000)

  test('of one request never reaches another after many were abandoned', async () => {
    for (let n = 0; n < 40; n++) {
      world.upstream.enqueue(async (answer) => {
        answer.head(200, { 'content-type': 'text/event-stream' })
        await answer.chunk(`data: abandoned ${n}\n\n`)
      })
    }
    for (let n = 0; n < 40; n++) {
      const leaving = new AbortController()
      const response = await fetch(`${world.gateway.url}/v1/messages`, { method: 'POST', body: JSON.stringify({ ...ask, stream: true }), headers: { authorization: `Bearer ${token}` }, signal: leaving.signal })
      await response.body!.getReader().read()
      leaving.abort()
    }
    for (let n = 0; n < 40; n++) world.upstream.enqueue((answer, request) => answerJson(200, { tag: request.json().tag })(answer, request))
    const tags = await Promise.all(Array.from({ length: 40 }, async (_, tag) => ((await (await send({ ...ask, tag })).json()) as { tag: number }).tag))
    expect(tags).toEqual(Array.from({ length: 40 }, (_, tag) => tag))
  })
})
