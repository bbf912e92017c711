// The demonstration provider's authorization endpoint: what a client may ask, and the codes it gets. OpenID Connect
// Core §3.1.2, PKCE required (RFC 7636).
import { createHash, randomBytes } from 'node:crypto'
import type { Person } from './people.ts'

/** The one client of this provider: the gateway beside it. */
export interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
}

export interface AuthorizationRequest {
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string | undefined
  readonly codeChallenge: string
  readonly scopes: readonly string[]
}

export type Reading =
  | { ok: true; request: AuthorizationRequest }
  /** For the person: the client cannot be trusted with an answer (RFC 6749 §4.1.2.1). */
  | { ok: false; message: string }
  /** For the client, at its redirect URI. */
  | { ok: false; redirectUri: string; state: string; error: string }

/** What the gateway asked for, or where its mistake is told. */
export function readAuthorizationRequest(parameters: URLSearchParams, client: Client): Reading {
  const get = (name: string) => parameters.get(name) ?? ''
  if (get('client_id') !== client.clientId) return { ok: false, message: 'client_id is not the gateway of this demonstration.' }
  const redirectUri = get('redirect_uri')
  if (redirectUri !== client.redirectUri) return { ok: false, message: 'redirect_uri is not the gateway’s.' }
  const state = get('state')
  const scopes = get('scope').split(' ')
  const refuse = (error: string): Reading => ({ ok: false, redirectUri, state, error })
  if (get('response_type') !== 'code') return refuse('unsupported_response_type')
  if (!scopes.includes('openid')) return refuse('invalid_scope')
  if (get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(get('code_challenge'))) return refuse('invalid_request')
  return { ok: true, request: { redirectUri, state, scopes, nonce: parameters.get('nonce') ?? undefined, codeChallenge: get('code_challenge') } }
}

/** The redirect that answers; `iss` tells the client who answered (RFC 9207). */
export function answerTo({ redirectUri, state }: { redirectUri: string; state: string }, issuer: string, answer: Record<string, string>): string {
  const url = new URL(redirectUri)
  for (const [name, value] of Object.entries({ ...answer, state, iss: issuer })) url.searchParams.set(name, value)
  return url.href
}

export interface Grant {
  readonly person: Person
  readonly request: AuthorizationRequest
}

export interface Codes {
  issue(grant: Grant, nowMs: number): string
  /** The grant of a code, once; undefined when it is unknown, used, late, or the verifier is not the challenge's. */
  redeem(code: string, codeVerifier: string, nowMs: number): Grant | undefined
}

const CODE_LIFETIME_MS = 60_000

export function createCodes(): Codes {
  const waiting = new Map<string, { grant: Grant; untilMs: number }>()
  return {
    issue(grant, nowMs) {
      for (const [code, { untilMs }] of waiting) if (untilMs <= nowMs) waiting.delete(code)
      const code = randomBytes(24).toString('base64url')
      waiting.set(code, { grant, untilMs: nowMs + CODE_LIFETIME_MS })
      return code
    },
    redeem(code, codeVerifier, nowMs) {
      const held = waiting.get(code)
      waiting.delete(code)
      const challenge = createHash('sha256').update(codeVerifier).digest('base64url')
      return held !== undefined && nowMs < held.untilMs && challenge === held.grant.request.codeChallenge ? held.grant : undefined
    },
  }
}
