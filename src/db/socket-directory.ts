/**
 * libpq's spelling of a unix socket, `postgres://user@localhost/database?host=/run/postgresql`. The driver does not know
 * it and would send `host` to the server as a setting. Pure; any other URL comes back as it was.
 */
export function splitSocketDirectory(url: string): { url: string; host?: string } {
  const parsed = URL.parse(url)
  const host = parsed?.searchParams.get('host')
  if (!parsed || !host?.startsWith('/')) return { url }
  parsed.searchParams.delete('host')
  return { url: parsed.href, host }
}
