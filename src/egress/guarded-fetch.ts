// The only way out of the process. Each host is resolved and every address judged; the connection goes to a judged
// address and TLS still speaks to, and verifies, the name. docs/decisions/002-outbound-pinning.md has the measurements.
// Redirects are never followed, the environment's proxies are never used.
import { isMetadataName } from './address.ts'
import { createAddressBook, type AddressBook, type Resolve } from './address-book.ts'
import { EgressError, neverConnected, toEgressError } from './egress-error.ts'
import { outboundHeaders } from './request-headers.ts'
import { capBody } from './small-body.ts'

export interface EgressInit {
  method?: string
  /** Hop-by-hop and framing fields are dropped, `Host` is the URL's. */
  headers?: Headers | Record<string, string>
  body?: string | Uint8Array | null
  signal?: AbortSignal
  /** Until the response's head has arrived, name resolution included. The body has no time limit. */
  headersTimeoutMs?: number
  /** False hands the body over as it came, in whatever coding; the coding asked for is then `identity`. */
  decompress?: boolean
  /** For small documents: the body fails with `too_large` beyond this. */
  maxResponseBytes?: number
  /** PEM of the authorities to trust instead of the built-in ones. */
  tls?: { ca?: string }
  /** URL of a forward proxy, which then resolves the name itself; its own address is judged like any other. */
  proxy?: string
}

/** Answers with whatever the server says, a 3xx too. Throws EgressError and nothing else. */
export type GuardedFetch = (url: string | URL, init?: EgressInit) => Promise<Response>

export interface GuardOptions {
  allowLoopback: boolean
  /** Host names and addresses that are reached wherever they lead: for credentials alone, which live at the metadata service. */
  exempt?: ReadonlySet<string>
  resolve?: Resolve
}

export function createGuardedFetch(options: GuardOptions): GuardedFetch {
  const book = createAddressBook(options)
  return async (input, init = {}) => {
    const url = parseTarget(input)
    const deadline = startDeadline(init)
    try {
      const sending = init.proxy === undefined ? sendPinned(book, url, init, deadline.signal) : sendByProxy(book, url, init, init.proxy, deadline.signal)
      const response = await sending
      return init.maxResponseBytes === undefined ? response : capBody(response, init.maxResponseBytes, url.host)
    } catch (error) {
      if (deadline.hasPassed()) throw new EgressError('timeout', url.host)
      if (init.signal?.aborted) throw toEgressError(abortOf(init.signal), url.host)
      throw toEgressError(error, url.host)
    } finally {
      deadline.clear()
    }
  }
}

/** Tries the judged addresses in turn for as long as no connection comes about; a request is never sent twice. */
async function sendPinned(book: AddressBook, url: URL, init: EgressInit, signal: AbortSignal | undefined): Promise<Response> {
  const name = unbracketed(url.hostname)
  const addresses = await orAborted(book.addressesOf(name), signal)
  for (const [index, address] of addresses.entries()) {
    try {
      const response = await send(urlAt(url, address), url, init, signal, false)
      if (index > 0) book.prefer(name, address)
      return response
    } catch (error) {
      if (index === addresses.length - 1 || !neverConnected(error) || signal?.aborted) throw error
    }
  }
  throw new EgressError('dns', url.host)
}

async function sendByProxy(book: AddressBook, url: URL, init: EgressInit, proxy: string, signal: AbortSignal | undefined): Promise<Response> {
  const proxyUrl = parseTarget(proxy, 'proxy')
  const [address] = await orAborted(book.addressesOf(unbracketed(proxyUrl.hostname)), signal)
  if (isMetadataName(url.hostname)) throw new EgressError('blocked_address', url.host)
  // An address in the URL needs no resolver: it is judged here although the proxy makes the connection.
  if (isAddress(url)) await book.addressesOf(unbracketed(url.hostname))
  // A TLS proxy must keep its name, or its certificate could not be verified.
  const pinned = proxyUrl.protocol === 'http:' && address !== undefined ? urlAt(proxyUrl, address, true) : proxyUrl.href
  return send(url.href, url, init, signal, pinned)
}

function send(href: string, url: URL, init: EgressInit, signal: AbortSignal | undefined, proxy: string | false): Promise<Response> {
  const headers = outboundHeaders(init.headers, url.host)
  if (init.decompress === false && !headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
  const options = {
    method: init.method ?? 'GET',
    headers,
    body: init.body ?? null,
    redirect: 'manual',
    // `false`, not '': Bun reads HTTP_PROXY and its kin for everything else, even for loopback.
    proxy,
    // Bun ends every request after 300 s otherwise, a long answer too.
    timeout: false,
    decompress: init.decompress ?? true,
    signal: signal ?? null,
    ...(url.protocol === 'https:' && { tls: tlsOptions(url, init) }),
  }
  return fetch(href, options as unknown as RequestInit)
}

function tlsOptions(url: URL, init: EgressInit): object {
  return {
    // Said aloud, or NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment would switch verification off.
    rejectUnauthorized: true,
    ...(!isAddress(url) && { serverName: url.hostname }),
    ...(init.tls?.ca !== undefined && { ca: init.tls.ca }),
  }
}

/** Bun's fetch reads files and data URLs as well; only the web leaves here, and never with a password in the URL. */
function parseTarget(input: string | URL, what: 'target' | 'proxy' = 'target'): URL {
  const url = URL.parse(String(input))
  if (url === null || !/^https?:$/.test(url.protocol)) throw new EgressError('protocol', url?.host ?? 'an invalid URL')
  if (what === 'target' && (url.username !== '' || url.password !== '')) throw new EgressError('protocol', url.host)
  return url
}

function urlAt(url: URL, address: string, withUser = false): string {
  const user = withUser && url.username !== '' ? `${url.username}:${url.password}@` : ''
  const host = address.includes(':') ? `[${address}]` : address
  return `${url.protocol}//${user}${host}${url.port === '' ? '' : `:${url.port}`}${url.pathname}${url.search}`
}

/** The WHATWG parser has already turned every spelling of an IPv4 address (octal, hexadecimal, short) into four numbers. */
function isAddress(url: URL): boolean {
  return url.hostname.startsWith('[') || /^[\d.]+$/.test(url.hostname)
}

function unbracketed(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function startDeadline({ signal, headersTimeoutMs }: EgressInit) {
  if (headersTimeoutMs === undefined) return { signal, hasPassed: () => false, clear: () => {} }
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), headersTimeoutMs)
  return {
    signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
    hasPassed: () => late.signal.aborted,
    clear: () => clearTimeout(timer),
  }
}

/** The work's outcome, at once where it is there, or what the signal says if that comes first. Throws what the signal says when it has come already. */
export function orAborted<value extends object>(work: value | Promise<value>, signal: AbortSignal | undefined): value | Promise<value> {
  signal?.throwIfAborted()
  return signal !== undefined && work instanceof Promise ? untilAborted(work, signal) : work
}

async function untilAborted<value>(work: Promise<value>, signal: AbortSignal): Promise<value> {
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(abortOf(signal))
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function abortOf(signal: AbortSignal): unknown {
  const name = (signal.reason as { name?: unknown } | undefined)?.name
  return name === 'TimeoutError' ? signal.reason : new DOMException('aborted', 'AbortError')
}
