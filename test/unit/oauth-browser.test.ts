import { describe, expect, test } from 'bun:test'
import { bindCookie, readBinding, unbindCookie } from '../../src/oauth/browser-binding.ts'
import { isSameOrigin } from '../../src/oauth/same-origin.ts'

const STATE = 'a3k9bZ_-q8mT0000000000000000000000000000000'
const OTHER = 'b3k9bZ_-q8mT0000000000000000000000000000000'
const SECRET = 's'.repeat(43)
const NAME = 'gatehouse-a3k9bZ_-q8mT'

describe('the cookie that binds a browser', () => {
  // T034
  test('is host-only, unreadable for scripts, and ends with the code', () => {
    expect(bindCookie(STATE, SECRET, true)).toBe(`__Host-${NAME}=${SECRET}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure`)
  })

  test('does without Secure, and so without its prefix, where the gateway is on plain http', () => {
    expect(bindCookie(STATE, SECRET, false)).toBe(`${NAME}=${SECRET}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax`)
  })

  test('is taken back under the same name', () => {
    expect(unbindCookie(STATE, true)).toBe(`__Host-${NAME}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure`)
  })

  // T042
  test('is found among those of other tabs', () => {
    const header = `a=b; ${bindCookie(OTHER, 'o'.repeat(43), true).split(';')[0]}; __Host-${NAME}=${SECRET}`
    expect(readBinding(header, STATE, true)).toBe(SECRET)
  })

  // T045
  test.each([
    ['no header', null],
    ['another name', `x-__Host-${NAME}=${SECRET}`],
    ['the name without its prefix', `${NAME}=${SECRET}`],
    ['an empty value', `__Host-${NAME}=`],
    ['a value cut short', `__Host-${NAME}=${SECRET.slice(1)}`],
    ['a quoted value', `__Host-${NAME}="${SECRET}"`],
    ['a percent sign', `__Host-${NAME}=%`],
    ['8 KB', `__Host-${NAME}=${'s'.repeat(8192)}`],
    ['two values', `__Host-${NAME}=${SECRET}; __Host-${NAME}=${'t'.repeat(43)}`],
    ['the same value twice', `__Host-${NAME}=${SECRET}; __Host-${NAME}=${SECRET}`],
    ['a prototype', '__proto__=x; constructor=y'],
  ])('is not read from %s', (_, header) => {
    expect(readBinding(header, STATE, true)).toBeUndefined()
  })
})

// Sec-Fetch-Site decides; Origin only where it is absent; Referer never.
describe('a form post', () => {
  const ours = 'https://gw.example'
  test.each<[Record<string, string>, boolean]>([
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'none' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }, true],
    [{ 'sec-fetch-site': 'same-site', origin: ours }, false],
    [{ 'sec-fetch-site': 'cross-site', origin: ours }, false],
    [{ 'sec-fetch-site': '', origin: ours }, false],
    [{ 'sec-fetch-site': 'Same-Origin' }, false],
    [{ 'sec-fetch-site': 'same-origin, cross-site' }, false],
    [{ origin: ours }, true],
    [{ origin: 'https://gw.example:8443' }, false],
    [{ origin: 'http://gw.example' }, false],
    [{ origin: 'https://gw.example.evil.example' }, false],
    [{ origin: 'null' }, false],
    [{ origin: '' }, false],
    [{ referer: `${ours}/device` }, false],
    [{ referer: `${ours}/device`, origin: 'https://evil.example' }, false],
    [{}, false],
  ])('with %p is our own: %p', (headers, expected) => {
    expect(isSameOrigin(new Headers(headers), ours)).toBe(expected)
  })
})
