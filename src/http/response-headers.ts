// Headers that every response carries, whatever wrote it.

const COMMON: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
]

/** Adds the request id and the security headers; `hsts` where the public URL is https. Returns a response whose headers are ours to set. */
export function withCommonHeaders(response: Response, requestId: string, hsts: boolean): Response {
  const { headers } = response
  headers.set('x-request-id', requestId)
  for (const [name, value] of COMMON) headers.set(name, value)
  if (hsts) headers.set('strict-transport-security', 'max-age=31536000')
  return response
}
