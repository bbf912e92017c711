// RFC 7009. Whoever holds a token may end the sign-in it belongs to; the answer is the same for every token.
import { contextOf } from '../http/request-context.ts'
import { endSession } from '../session/end-session.ts'
import { findSessionOfToken } from '../session/store.ts'
import { hashToken } from './codes.ts'
import type { OAuthDeps } from './deps.ts'
import { readParameters } from './parameters.ts'

const MAX_FORM_BYTES = 64 * 1024

/** Always 200 (RFC 7009 §2.2): an unknown token is as good as a revoked one. */
export async function revokeToken(deps: OAuthDeps, request: Request): Promise<Response> {
  const token = (await readParameters(request, MAX_FORM_BYTES)).get('token') ?? ''
  const owner = await findOwner(deps, token)
  if (owner !== undefined) {
    const { requestId, clientIp } = contextOf(request)
    await endSession(deps, { request_id: requestId, client_ip: clientIp, by: 'token_holder', ...owner })
  }
  return new Response(null, { status: 200, headers: { 'cache-control': 'no-store' } })
}

/** The hint is only a hint: a token is looked at for what it is. */
async function findOwner(deps: OAuthDeps, token: string): Promise<{ sid: string; issuer: string; sub: string; email: string | undefined } | undefined> {
  const verified = await deps.tokens.verify(token, Math.floor(deps.now().getTime() / 1000))
  if (verified.ok) return { sid: verified.value.sid, issuer: verified.value.issuer, sub: verified.value.sub, email: verified.value.email }
  if (!token.startsWith('ghr_')) return undefined
  const session = await findSessionOfToken(deps.db, hashToken(token))
  return session && { ...session, email: session.email ?? undefined }
}
