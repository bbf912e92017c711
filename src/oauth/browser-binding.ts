// Ties a sign-in to the browser that began it (RFC 9700 §4.7). One cookie per attempt, named after its state, so that
// several tabs do not disturb each other.
import { GRANT_LIFETIME_SECONDS } from './device-grant.ts'

/** `__Host-` (RFC 6265bis §4.1.3) keeps sibling hosts from planting one; it needs https. */
function cookieName(stateHash: string, secure: boolean): string {
  return `${secure ? '__Host-' : ''}gatehouse-${stateHash.slice(0, 12)}`
}

/** The Set-Cookie value that binds this browser. */
export function bindCookie(stateHash: string, secret: string, secure: boolean): string {
  return attributes(`${cookieName(stateHash, secure)}=${secret}`, GRANT_LIFETIME_SECONDS, secure)
}

/** The Set-Cookie value that ends the binding. */
export function unbindCookie(stateHash: string, secure: boolean): string {
  return attributes(`${cookieName(stateHash, secure)}=`, 0, secure)
}

/** The binding this browser holds for a state. Ambiguous or malformed cookies count as none. */
export function readBinding(cookieHeader: string | null, stateHash: string, secure: boolean): string | undefined {
  const name = `${cookieName(stateHash, secure)}=`
  const values = (cookieHeader ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(name))
  const value = values.length === 1 ? values[0]?.slice(name.length) : undefined
  return value !== undefined && /^[\w-]{43}$/.test(value) ? value : undefined
}

function attributes(pair: string, maxAgeSeconds: number, secure: boolean): string {
  return `${pair}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}
