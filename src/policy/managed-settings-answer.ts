import type { ManagedDocument } from './policy.ts'

export interface SettingsQuery {
  readonly ifNoneMatch: string | null
  /** The Code tab of Claude Desktop must not run without the document. */
  readonly isRequired: boolean
  readonly version: string
}

/**
 * 200 with the document, or 304 when `If-None-Match` names it. `*` is how the Code tab of Claude Desktop asks, on a machine
 * that does not take this gateway's settings, whether it may start: 304 where the settings are required, else as if absent.
 */
export function managedSettingsAnswer(document: ManagedDocument, { ifNoneMatch, isRequired, version }: SettingsQuery): Response {
  const etag = `"${document.checksum}"`
  const own = { vary: 'authorization, x-api-key, user-agent', 'x-cc-gateway-version': version }
  if (ifNoneMatch?.trim() === '*' && isRequired) return new Response(null, { status: 304, headers: { ...own, 'cache-control': 'no-store' } })
  // One person's document must never be another's, whatever stands between.
  const headers = { ...own, etag, 'cache-control': 'private, no-cache' }
  if (namesEtag(ifNoneMatch, etag)) return new Response(null, { status: 304, headers })
  return new Response(document.body, { headers: { ...headers, 'content-type': 'application/json' } })
}

/** RFC 9110 §13.1.2: a list of entity tags, compared weakly. */
function namesEtag(ifNoneMatch: string | null, etag: string): boolean {
  return (ifNoneMatch ?? '').split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
