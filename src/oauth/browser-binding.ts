// Ties a sign-in to the browser that began it (RFC 9700 §4.7). One cookie per attempt, named after its state, so that
// several tabs do not disturb each other.
import { cookie, type Cookie } from '../http/cookie.ts'
import { GRANT_LIFETIME_SECONDS } from './device-grant.ts'

function bindingOf(stateHash: string, secure: boolean): Cookie {
  return cookie(`gatehouse-${stateHash.slice(0, 12)}`, secure)
}

/** The Set-Cookie value that binds this browser. */
export function bindCookie(stateHash: string, secret: string, secure: boolean): string {
  return bindingOf(stateHash, secure).set(secret, GRANT_LIFETIME_SECONDS)
}

/** The Set-Cookie value that ends the binding. */
export function unbindCookie(stateHash: string, secure: boolean): string {
  return bindingOf(stateHash, secure).clear()
}

/** The binding this browser holds for a state. Ambiguous or malformed cookies count as none. */
export function readBinding(cookieHeader: string | null, stateHash: string, secure: boolean): string | undefined {
  return bindingOf(stateHash, secure).read(cookieHeader)
}
