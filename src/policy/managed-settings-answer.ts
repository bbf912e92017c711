import type { ManagedDocument } from './policy.ts'

/** 200 with the document, or 304 when `If-None-Match` names it. `*` is answered as if it were absent. */
export function managedSettingsAnswer(document: ManagedDocument, ifNoneMatch: string | null, version: string): Response {
  const etag = `"${document.checksum}"`
  const headers = {
    etag,
    // One person's document must never be another's, whatever stands between.
    'cache-control': 'private, no-cache',
    vary: 'authorization, x-api-key',
    'x-cc-gateway-version': version,
  }
  if (namesEtag(ifNoneMatch, etag)) return new Response(null, { status: 304, headers })
  return new Response(document.body, { headers: { ...headers, 'content-type': 'application/json' } })
}

/** RFC 9110 §13.1.2: a list of entity tags, compared weakly. */
function namesEtag(ifNoneMatch: string | null, etag: string): boolean {
  return (ifNoneMatch ?? '').split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
