// What may stand in the head of an outbound request. Pure.

/**
 * RFC 9110 §7.6.1: hop-by-hop fields belong to one connection and are never forwarded. The framing fields are the
 * runtime's to write from the body it sends: a caller's own would allow request smuggling.
 */
const NEVER_SENT = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'http2-settings',
  'expect',
]

/** A copy without hop-by-hop and framing fields, nor any field that `Connection` names; `Host` is the URL's own. */
export function outboundHeaders(headers: Headers | Record<string, string> | undefined, host: string): Headers {
  const outbound = new Headers(headers)
  const named = outbound.get('connection')
  if (named !== null) for (const name of named.split(',')) removeField(outbound, name.trim())
  for (const name of NEVER_SENT) outbound.delete(name)
  outbound.set('host', host)
  return outbound
}

function removeField(headers: Headers, name: string): void {
  // RFC 9110 §5.6.2: a token; anything else names no field, and `delete` would throw.
  if (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) headers.delete(name)
}
