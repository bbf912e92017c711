// The authorization response, judged before any request is made for it. Pure.
import type { Result } from '../std/result.ts'
import type { CallbackFault } from './refusal.ts'

const KNOWN = ['code', 'state', 'iss', 'error'] as const

/** `code` of a callback that answers our own request. `issParameter`: the provider promises RFC 9207's `iss`. */
export function judgeCallback(
  parameters: URLSearchParams,
  expected: { state: string; issuer: string; issParameter: boolean },
): Result<{ code: string }, CallbackFault> {
  // RFC 6749 §3.1: parameters must not be included more than once; the second one could be what another reader acts on.
  const repeated = KNOWN.find((name) => parameters.getAll(name).length > 1)
  if (repeated !== undefined) return { ok: false, reason: repeated === 'iss' ? 'callback_issuer' : 'callback_malformed', detail: `${repeated} is repeated` }
  // RFC 6749 §10.12: login CSRF, somebody else's authorization response.
  if (expected.state === '' || parameters.get('state') !== expected.state) return { ok: false, reason: 'state_mismatch' }
  // RFC 9207 §2.4, mix-up: compared before anything else of the response is believed.
  const issuer = parameters.get('iss')
  if (issuer === null ? expected.issParameter : issuer !== expected.issuer) return { ok: false, reason: 'callback_issuer' }
  const error = parameters.get('error')
  if (error !== null) return { ok: false, reason: error === 'access_denied' ? 'idp_denied' : 'callback_error', detail: errorCode(error) }
  const code = parameters.get('code')
  if (code === null || code === '') return { ok: false, reason: 'callback_malformed', detail: 'code is missing' }
  return { ok: true, value: { code } }
}

/** RFC 6749 §4.1.2.1: printable ASCII without quotes and backslashes. Anybody can write the callback's query. */
export function errorCode(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '').slice(0, 64)
}
