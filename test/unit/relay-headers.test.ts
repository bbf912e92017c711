import { describe, expect, test } from 'bun:test'
import { clientHeaders, upstreamHeaders, upstreamQuery } from '../../src/relay/headers.ts'

const toUpstream = (headers: Record<string, string>) => Object.fromEntries(upstreamHeaders(new Headers(headers), 'gatehouse/1'))

describe('headers to an upstream', () => {
  test('carry what the contract names and nothing else', () => {
    const passed = { 'content-type': 'application/json', accept: 'application/json', 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a,b', 'anthropic-new-thing': 'x', 'x-stainless-os': 'Linux' }
    const stopped = {
      authorization: 'Bearer canary',
      'x-api-key': 'canary',
      cookie: 'canary=1',
      'proxy-authorization': 'canary',
      'x-claude-code-session-id': 's',
      'x-forwarded-for': '127.0.0.1',
      'x-app': 'cli',
      host: 'gw',
      te: 'trailers',
      upgrade: 'h2c',
      anthropic_version: 'x',
      'keep-alive': '1',
      expect: '100-continue',
    }
    expect(toUpstream({ ...passed, ...stopped, 'user-agent': 'claude-cli/2' })).toEqual({ ...passed, 'user-agent': 'claude-cli/2 gatehouse/1', 'accept-encoding': 'identity' })
  })

  test('lose what Connection names', () => {
    expect(toUpstream({ connection: 'close, Anthropic-Secret', 'anthropic-secret': 'x', 'anthropic-kept': 'y' })).toMatchObject({ 'anthropic-kept': 'y' })
    expect(toUpstream({ connection: 'close, Anthropic-Secret', 'anthropic-secret': 'x' })).not.toHaveProperty('anthropic-secret')
  })

  // B3, B4
  test.each([
    ['a, b ,c', 'a,b,c'],
    ['a,request-tags-2026-08-21,b', 'a,b'],
    ['a,,b,', 'a,b'],
    ['safeguards-2026-01-01', 'safeguards-2026-01-01'],
  ])('keep the betas of %p as %p', (given, kept) => {
    expect(toUpstream({ 'anthropic-beta': given })['anthropic-beta']).toBe(kept)
  })

  test('have no beta header when none is left', () => {
    expect(toUpstream({ 'anthropic-beta': 'request-tags-2026-08-21' })).not.toHaveProperty('anthropic-beta')
    expect(toUpstream({})).not.toHaveProperty('anthropic-beta')
  })
})

describe('a header to an upstream that might be read in two ways', () => {
  test.each(['a\u00a0b', 'caf\u00e9', 'a\u0085b'])('is left out: %j', (value) => {
    expect(toUpstream({ 'anthropic-version': value, accept: 'text/plain' })).not.toHaveProperty('anthropic-version')
  })
})

describe('headers to a client', () => {
  // T177
  test('carry nothing of the account or the server behind the gateway', () => {
    const upstream = new Headers({
      'content-type': 'application/json',
      'retry-after': '7',
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-unified-status': 'allowed',
      'anthropic-organization-id': 'org',
      'anthropic-workspace-id': 'ws',
      'request-id': 'req_upstream',
      server: 'x',
      via: 'x',
      'cf-ray': 'x',
      'strict-transport-security': 'x',
      'access-control-allow-origin': '*',
      'content-encoding': 'gzip',
      'content-length': '5',
      'transfer-encoding': 'chunked',
      connection: 'x-should-retry',
      'x-should-retry': 'true',
    })
    upstream.append('set-cookie', 'a=1')
    expect(Object.fromEntries(clientHeaders(upstream, 'ours'))).toEqual({ 'content-type': 'application/json', 'retry-after': '7', 'request-id': 'ours' })
  })
})

test.each([
  ['http://gw/v1/messages?beta=true', '?beta=true'],
  ['http://gw/v1/messages', ''],
  ['http://gw/v1/messages?key=secret&beta=true&api_base=http://evil', '?beta=true'],
  ['http://gw/v1/messages?beta=false', ''],
])('the query of %s goes upstream as %p', (url, query) => {
  expect(upstreamQuery(url)).toBe(query)
})
