import { describe, expect, test } from 'bun:test'
import { presentedToken } from '../../src/http/authenticate.ts'

const presented = (headers: Record<string, string>) => presentedToken(new Headers(headers))

describe('presentedToken', () => {
  test.each([
    ['Authorization', { authorization: 'Bearer abc.def.ghi' }],
    ['Authorization in lower case', { authorization: 'bearer abc.def.ghi' }],
    ['x-api-key', { 'x-api-key': 'abc.def.ghi' }],
    ['both, when they agree', { authorization: 'Bearer abc.def.ghi', 'x-api-key': 'abc.def.ghi' }],
  ])('takes the token from %s', (_, headers) => {
    expect(presented(headers)).toEqual({ ok: true, value: 'abc.def.ghi' })
  })

  test.each([
    ['nothing', {}, 'missing'],
    ['another scheme', { authorization: 'Basic abc' }, 'malformed'],
    ['two lines joined', { authorization: 'Bearer a, Bearer b' }, 'malformed'],
    ['an injection', { authorization: "Bearer ' OR '1'='1'--" }, 'malformed'],
    ['two different tokens', { authorization: 'Bearer a', 'x-api-key': 'b' }, 'conflicting'],
    ['a bad scheme beside a good key', { authorization: 'Basic a', 'x-api-key': 'b' }, 'malformed'],
  ])('refuses %s', (_, headers, reason) => {
    expect(presented(headers as Record<string, string>)).toEqual({ ok: false, reason } as never)
  })
})
