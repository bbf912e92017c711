// A browser's way to the identity provider: what is written down of it, and the redirect that begins it.
import { bindCookie } from './browser-binding.ts'
import { createOpaqueToken, hashToken } from './codes.ts'
import { SEALED, type OAuthDeps } from './deps.ts'
import type { NewAttempt, Purpose } from './store.ts'

/**
 * A fresh attempt, to be stored before `redirect` is sent: a 303 to the identity provider (RFC 9700 §4.12), with the
 * cookie that binds the browser. It is sealed for its purpose, so that it finishes nothing else; `page` is sealed with it:
 * where a sign-in ends is decided where it begins, and nobody on the way can say otherwise.
 */
export async function prepareAttempt(deps: Pick<OAuthDeps, 'relyingParty' | 'sealer' | 'publicUrl'>, purpose: Purpose, page?: string): Promise<{ attempt: NewAttempt; redirect: Response }> {
  const { url, state, nonce, codeVerifier } = await deps.relyingParty.startSignIn()
  const browserSecret = createOpaqueToken()
  const stateHash = hashToken(state)
  const sealed = deps.sealer.seal(JSON.stringify({ nonce, codeVerifier, page }), SEALED[purpose])
  const headers = { location: url.href, 'set-cookie': bindCookie(stateHash, browserSecret, deps.publicUrl.startsWith('https:')), 'cache-control': 'no-store' }
  return { attempt: { stateHash, browserHash: hashToken(browserSecret), sealed }, redirect: new Response(null, { status: 303, headers }) }
}
