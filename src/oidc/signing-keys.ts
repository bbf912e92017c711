// Which keys of a provider's key set may verify an id_token. Pure.

/** A public signature key, reduced to the members that make it one. */
export interface SigningKey {
  readonly kid: string | undefined
  readonly jwk: Readonly<Record<string, string>>
}

/** RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used"; the upper bound keeps a verification cheap. */
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 8192
/** More keys than any rotation needs; the rest of a longer set is not looked at. */
const MAX_KEYS = 100

interface KeyKind {
  kty: string
  crv?: string
  members: readonly string[]
}

const RSA: KeyKind = { kty: 'RSA', members: ['kty', 'n', 'e'] }
const curve = (crv: string): KeyKind => ({ kty: 'EC', crv, members: ['kty', 'crv', 'x', 'y'] })

/** Symmetric algorithms and `none` are not in it, so that no configuration can choose them. */
const KINDS: ReadonlyMap<string, KeyKind> = new Map([
  ['RS256', RSA],
  ['RS384', RSA],
  ['RS512', RSA],
  ['PS256', RSA],
  ['PS384', RSA],
  ['PS512', RSA],
  ['ES256', curve('P-256')],
  ['ES384', curve('P-384')],
  ['ES512', curve('P-521')],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519', members: ['kty', 'crv', 'x'] }],
])

/** The keys of a JWK set (RFC 7517) that fit `algorithm`; undefined when the document is not a key set. */
export function usableKeys(document: unknown, algorithm: string): readonly SigningKey[] | undefined {
  const keys = (document as { keys?: unknown } | null)?.keys
  const kind = KINDS.get(algorithm)
  if (!Array.isArray(keys) || kind === undefined) return undefined
  return keys.slice(0, MAX_KEYS).flatMap((key: unknown) => (isUsable(key, algorithm, kind) ? [reduce(key, kind)] : []))
}

/** RFC 7517 §4.5: a token that names its key is verified with that key only; RFC 8725 §3.10. */
export function candidates(keys: readonly SigningKey[], kid: string | undefined): readonly SigningKey[] {
  return kid === undefined ? keys : keys.filter((key) => key.kid === kid)
}

function isUsable(key: unknown, algorithm: string, kind: KeyKind): key is Record<string, string> {
  if (typeof key !== 'object' || key === null) return false
  const { kty, crv, use, key_ops, alg, n } = key as Record<string, unknown>
  // An encryption key, or one of another algorithm, must not verify signatures (RFC 8725 §3.1).
  if (kty !== kind.kty || (kind.crv !== undefined && crv !== kind.crv)) return false
  if (use !== undefined && use !== 'sig') return false
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return false
  if (alg !== undefined && alg !== algorithm) return false
  if (!kind.members.every((member) => typeof (key as Record<string, unknown>)[member] === 'string')) return false
  return kind.kty !== 'RSA' || isStrong(n as string)
}

function isStrong(modulus: string): boolean {
  const bytes = Buffer.from(modulus, 'base64url')
  const first = bytes.findIndex((byte) => byte !== 0)
  if (first < 0) return false
  const bits = (bytes.length - first - 1) * 8 + (32 - Math.clz32(bytes[first] as number))
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS
}

function reduce(key: Record<string, unknown>, kind: KeyKind): SigningKey {
  const jwk = Object.fromEntries(kind.members.map((member) => [member, key[member] as string]))
  return { kid: typeof key.kid === 'string' ? key.kid : undefined, jwk }
}
