// Cookies of ours: opaque, unreadable for scripts, for this host alone.

export interface Cookie {
  /** The Set-Cookie value. */
  set(value: string, maxAgeSeconds: number): string
  /** The Set-Cookie value that removes it. */
  clear(): string
  /** What a Cookie header has of it. Ambiguous or malformed counts as none. */
  read(header: string | null): string | undefined
}

/**
 * `__Host-` (RFC 6265bis §4.1.3) keeps sibling hosts from planting one; it needs https (`secure`). Lax, not Strict: the
 * browser comes from the identity provider, which is another site.
 */
export function cookie(name: string, secure: boolean): Cookie {
  const prefix = `${secure ? '__Host-' : ''}${name}=`
  const set = (value: string, maxAgeSeconds: number) => `${prefix}${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
  return {
    set,
    clear: () => set('', 0),
    read(header) {
      const values = (header ?? '').split(';').map((pair) => pair.trim()).filter((pair) => pair.startsWith(prefix))
      const value = values.length === 1 ? values[0]?.slice(prefix.length) : undefined
      return value !== undefined && /^[\w-]{43}$/.test(value) ? value : undefined
    },
  }
}
