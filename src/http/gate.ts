// The outermost check. Bun accepts two Host lines, an empty or invalid Host, CONNECT, TRACE and `#` in the target, and
// Elysia finds the path by counting characters of the URL, so a short or odd Host would move one route onto another
// (GHSA-4xpc-pv4p-pm3w is this fault elsewhere). After this gate there is one canonical path, read one way.

export interface Admitted {
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
}

export type GateRefusal = { readonly status: 400 | 405 | 414 | 421 | 431; readonly message: string; readonly allow?: string }

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** RFC 9110 §7.2 / RFC 3986 §3.2.2: a registered name or IPv4, or a bracketed IPv6, and an optional port. */
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/
/** Bytes that mean something else to somebody further down: encoded slash, backslash, dot, NUL and other controls. */
const AMBIGUOUS = /%(?:2f|5c|2e|00|0[0-9a-f]|1[0-9a-f]|7f|23|3f)|[\\;]|\/\/|\/\.{1,2}(?:\/|$)|[^\x21-\x7e]/i

export interface GateLimits {
  maxUrlLength: number
  maxHeaderBytes: number
}

/** Splits an admissible request into path and query, or says why it goes no further. */
export function admit(request: Request, limits: GateLimits): Admitted | GateRefusal {
  if (!METHODS.has(request.method)) return { status: 405, message: 'method not allowed', allow: [...METHODS].join(', ') }
  const host = request.headers.get('host')
  if (host === null || !HOST.test(host)) return { status: 400, message: 'invalid Host header' }
  const { url } = request
  const origin = url.indexOf('://')
  const start = origin < 0 ? -1 : url.indexOf('/', origin + 3)
  if (start < 0) return { status: 421, message: 'misdirected request' }
  if (url.length - start > limits.maxUrlLength) return { status: 414, message: 'URL too long' }
  if (url.includes('#', start)) return { status: 400, message: 'invalid request target' }
  const question = url.indexOf('?', start)
  const path = question < 0 ? url.slice(start) : url.slice(start, question)
  if (AMBIGUOUS.test(path) || !isDecodable(path)) return { status: 400, message: 'invalid request target' }
  if (headerBytes(request.headers) > limits.maxHeaderBytes) return { status: 431, message: 'request header fields too large' }
  return { path, query: question < 0 ? '' : url.slice(question) }
}

/** RFC 3986 §2.1: a percent sign begins an octet; octets that are no UTF-8 would throw where a route decodes them. */
function isDecodable(path: string): boolean {
  try {
    return decodeURIComponent(path) !== ''
  } catch {
    return false
  }
}

export function isRefusal(verdict: Admitted | GateRefusal): verdict is GateRefusal {
  return 'status' in verdict
}

function headerBytes(headers: Headers): number {
  let total = 0
  for (const [name, value] of headers) total += name.length + value.length + 4
  return total
}
