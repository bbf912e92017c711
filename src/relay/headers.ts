// Which headers cross the gateway, in both directions. By permission: what is not named here stays.

/** A beta that is between a client and its own gateway; its body field `tags` stays here too. */
const OWN_BETAS = new Set(['request-tags-2026-08-21'])
const TO_UPSTREAM = new Set(['content-type', 'accept'])
/** No `anthropic-*` header carries a credential; the key headers are named `authorization` and `x-api-key`. */
const TO_UPSTREAM_PREFIXES = ['anthropic-', 'x-stainless-']
/** Which part of the company's account pays is for the operator to say, in `headers` of an upstream. */
const OPERATORS = new Set(['anthropic-workspace-id', 'anthropic-organization-id'])
const TO_CLIENT = new Set(['content-type', 'retry-after', 'retry-after-ms', 'x-should-retry'])
/** They speak of the account behind the shared credential. */
const ACCOUNT_FACTS = ['anthropic-ratelimit-', 'anthropic-priority-', 'anthropic-fast-', 'anthropic-organization-', 'anthropic-workspace-']

/** What a client may say to an upstream. RFC 9110 §7.6.1: what `Connection` names is for this hop alone. */
export function upstreamHeaders(client: Headers, product: string): Headers {
  const hop = namedInConnection(client)
  const headers = new Headers()
  for (const [name, value] of client) {
    if (hop.has(name) || OPERATORS.has(name) || !(TO_UPSTREAM.has(name) || TO_UPSTREAM_PREFIXES.some((prefix) => name.startsWith(prefix)))) continue
    // A signature covers bytes: what is no plain text might be read in two ways.
    if (!/^[\t\x20-\x7e]*$/.test(value)) continue
    headers.set(name, value)
  }
  const betas = keptBetas(client.get('anthropic-beta'))
  if (betas === '') headers.delete('anthropic-beta')
  else headers.set('anthropic-beta', betas)
  headers.set('user-agent', [client.get('user-agent'), product].filter(Boolean).join(' '))
  headers.set('accept-encoding', 'identity')
  return headers
}

/** Repeated header lines arrive joined; every value keeps its place, and none is added. */
function keptBetas(value: string | null): string {
  return (value ?? '')
    .split(',')
    .map((beta) => beta.trim())
    .filter((beta) => beta !== '' && !OWN_BETAS.has(beta))
    .join(',')
}

/** What an upstream may say to a client. */
export function clientHeaders(upstream: Headers, requestId: string): Headers {
  const hop = namedInConnection(upstream)
  const headers = new Headers()
  for (const [name, value] of upstream) {
    if (hop.has(name) || ACCOUNT_FACTS.some((prefix) => name.startsWith(prefix))) continue
    if (TO_CLIENT.has(name) || name.startsWith('anthropic-')) headers.set(name, value)
  }
  headers.set('request-id', requestId)
  return headers
}

function namedInConnection(headers: Headers): Set<string> {
  return new Set((headers.get('connection') ?? '').split(',').map((name) => name.trim().toLowerCase()))
}

/** `beta=true` is the only parameter with a meaning upstream; a credential in the query goes nowhere. */
export function upstreamQuery(url: string): string {
  const question = url.indexOf('?')
  return question >= 0 && new URLSearchParams(url.slice(question)).get('beta') === 'true' ? '?beta=true' : ''
}
