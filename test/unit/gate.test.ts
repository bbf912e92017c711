import { describe, expect, test } from 'bun:test'
import { admit } from '../../src/http/gate.ts'

const LIMITS = { maxUrlLength: 200, maxHeaderBytes: 1000 }

function asked(url: string, init: { method?: string; host?: string | null; headers?: Record<string, string> } = {}) {
  const { host = 'gw.example.com' } = init
  // Bun hands over what was on the wire; a constructed Request would repair the URL and drop the Host.
  const headers = new Headers(init.headers)
  if (host !== null) headers.set('host', host)
  return { method: init.method ?? 'GET', url, headers } as unknown as Request
}

describe('the outer gate', () => {
  test('splits an ordinary target into path and query', () => {
    expect(admit(asked('http://gw.example.com/v1/messages?beta=true'), LIMITS)).toEqual({ path: '/v1/messages', query: '?beta=true' })
  })

  test.each([
    ['no Host', { host: null }],
    ['an empty Host', { host: '' }],
    ['two Host lines', { host: 'a, b' }],
    ['a path in the Host', { host: 'x/y' }],
    ['user information in the Host', { host: 'user@evil' }],
    ['a query in the Host', { host: 'a?b' }],
    ['a fragment in the Host', { host: 'a#b' }],
    ['a blank in the Host', { host: 'a b' }],
    ['a traversal in the Host', { host: 'a/../b?x' }],
  ])('refuses %s', (_, init) => {
    expect(admit(asked('http://x/a', init), LIMITS)).toMatchObject({ status: 400 })
  })

  test.each(['a', 'a:1', 'localhost:8080', '192.0.2.1', '[::1]:8080', 'under_score.example', 'xn--bcher-kva.example', 'trailing.dot.'])('accepts the Host %s', (host) => {
    expect(admit(asked(`http://${host}/a`, { host }), LIMITS)).toEqual({ path: '/a', query: '' })
  })

  test('refuses a URL without an authority, which Bun produces for an invalid Host', () => {
    expect(admit(asked('/admin/users'), LIMITS)).toMatchObject({ status: 421 })
  })

  test.each(['TRACE', 'CONNECT', 'PROPFIND', 'A'.repeat(8192)])('refuses the method %s', (method) => {
    expect(admit(asked('http://x.y/a', { method }), LIMITS)).toMatchObject({ status: 405 })
  })

  test.each([
    '/v1/models/..%2f..%2fadmin',
    '/v1/%2e%2e/admin',
    '/v1/..%5cadmin',
    '/v1/..\\admin',
    '//admin',
    '/v1//messages',
    '/a/./b',
    '/a/..',
    '/admin;x/',
    '/a%00',
    '/a%0d%0ab',
    '/a%23b',
    '/ä',
    '/v1/models/%zz',
    '/v1/models/%',
    '/v1/models/%c3%28',
    '/v1/models/%ed%a0%80',
  ])('refuses the ambiguous path %s', (path) => {
    expect(admit(asked(`http://x.y${path}`), LIMITS)).toMatchObject({ status: 400 })
  })

  test('refuses a fragment in the target', () => {
    expect(admit(asked('http://x.y/public#/../admin'), LIMITS)).toMatchObject({ status: 400 })
  })

  test('answers 414 past the longest URL and 431 past the largest header block', () => {
    expect(admit(asked(`http://x.y/${'a'.repeat(300)}`), LIMITS)).toMatchObject({ status: 414 })
    expect(admit(asked('http://x.y/a', { headers: { 'x-long': 'a'.repeat(2000) } }), LIMITS)).toMatchObject({ status: 431 })
  })
})
