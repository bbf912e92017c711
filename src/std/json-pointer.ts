/**
 * What a JSON pointer (RFC 6901) finds in a document, or undefined. Only own members count, so that `/__proto__` and
 * `/constructor` find what the document says and nothing else.
 */
export function resolvePointer(document: unknown, pointer: string): unknown {
  if (pointer === '') return document
  if (!pointer.startsWith('/')) return undefined
  let found: unknown = document
  for (const token of pointer.slice(1).split('/')) {
    // RFC 6901 §4: ~1 first, so that `~01` becomes `~1` and not `/`.
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~')
    // RFC 6901 §4: an array index has no leading zero; `-` names no existing element.
    if (Array.isArray(found) && !/^(0|[1-9]\d*)$/.test(key)) return undefined
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined
    found = (found as Record<string, unknown>)[key]
  }
  return found
}
