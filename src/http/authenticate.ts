// The bearer of a request. Sits in front of every path that is not public.
import type { Result } from '../std/result.ts'

/** RFC 6750 §2.1; the scheme is case-insensitive (RFC 9110 §11.1). Two header lines arrive joined by a comma and fail here. */
const BEARER = /^bearer +([\w.~+/=-]+)$/i
const KEY = /^[\w.~+/=-]+$/

/**
 * The one token a request presents, in `Authorization` or, from clients that use a key helper, in `x-api-key`.
 * Two different ones are refused: whoever checked the other one would have let in somebody else.
 */
export function presentedToken(headers: Headers): Result<string, 'missing' | 'malformed' | 'conflicting'> {
  const authorization = headers.get('authorization')
  const apiKey = headers.get('x-api-key')
  if (authorization === null && apiKey === null) return { ok: false, reason: 'missing' }
  const bearer = authorization === null ? undefined : BEARER.exec(authorization)?.[1]
  if (authorization !== null && bearer === undefined) return { ok: false, reason: 'malformed' }
  if (apiKey !== null && !KEY.test(apiKey)) return { ok: false, reason: 'malformed' }
  if (bearer !== undefined && apiKey !== null && bearer !== apiKey) return { ok: false, reason: 'conflicting' }
  return { ok: true, value: (bearer ?? apiKey) as string }
}
