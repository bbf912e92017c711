// The provider's signing keys: fetched when first needed, renewed every ten minutes, and once more when a token names
// a key that is not there yet. Unknown names cannot make us flood the provider: one such fetch per cooldown.
import { importJWK, type CryptoKey } from 'jose'
import type { Result } from '../std/result.ts'
import { fetchDocument, type ProviderFetch } from './provider-fetch.ts'
import { candidates, usableKeys, type SigningKey } from './signing-keys.ts'

export interface KeySet {
  /** Keys that may have signed a token with this header's `kid`. */
  keysFor(kid: string | undefined): Promise<Result<readonly CryptoKey[], KeySetFault>>
  /** True when the set was fetched anew, so that a second look may find more; false while the last renewal is too recent. */
  renew(): Promise<Result<boolean, KeySetFault>>
  state(): KeySetState
}

export interface KeySetState {
  /** Since the keys at hand were read, in milliseconds; undefined before the first time. */
  readonly ageMs: number | undefined
  /** Why they could not be read the last time. */
  readonly trouble: string | undefined
}

export type KeySetFault = 'idp_unavailable' | 'signing_keys'

const MAX_AGE_MS = 600_000
const COOLDOWN_MS = 30_000

export interface KeySetOptions {
  url: string
  algorithm: string
  fetch: ProviderFetch
  /** A monotonic clock. */
  nowMs?: () => number
}

type Loaded = Result<readonly SigningKey[], KeySetFault>

export function createKeySet({ url, algorithm, fetch, nowMs = () => performance.now() }: KeySetOptions): KeySet {
  let loaded: readonly SigningKey[] | undefined
  let loadedAtMs = 0
  let trouble: string | undefined
  let renewal: { atMs: number; outcome: Promise<Loaded> } | undefined
  let loading: Promise<Loaded> | undefined
  let imported = new Map<SigningKey, CryptoKey>()

  async function load(): Promise<Loaded> {
    const outcome = await fetchKeys()
    trouble = outcome.ok ? undefined : outcome.detail
    return outcome
  }

  async function fetchKeys(): Promise<Loaded> {
    const document = await fetchDocument(fetch, url, { headers: { accept: 'application/json' } })
    if (!document.ok) return { ok: false, reason: document.reason === 'unavailable' ? 'idp_unavailable' : 'signing_keys', detail: `key set: ${document.detail}` }
    const keys = usableKeys(document.value, algorithm)
    if (keys === undefined) return { ok: false, reason: 'signing_keys', detail: 'key set: it has no list of keys' }
    loaded = keys
    loadedAtMs = nowMs()
    imported = new Map()
    return { ok: true, value: keys }
  }

  /** One fetch at a time, whoever asks. */
  const loadOnce = () => (loading ??= load().finally(() => (loading = undefined)))

  async function importKey(key: SigningKey): Promise<CryptoKey[]> {
    const known = imported.get(key)
    if (known !== undefined) return [known]
    try {
      const made = (await importJWK(key.jwk, algorithm)) as CryptoKey
      imported.set(key, made)
      return [made]
    } catch {
      // A malformed key is as good as absent; its siblings may still verify.
      return []
    }
  }

  return {
    async keysFor(kid) {
      const isFresh = loaded !== undefined && nowMs() - loadedAtMs < MAX_AGE_MS
      const keys: Loaded = isFresh ? { ok: true, value: loaded as readonly SigningKey[] } : await loadOnce()
      if (!keys.ok) return keys
      const made = await Promise.all(candidates(keys.value, kid).map(importKey))
      return { ok: true, value: made.flat() }
    },
    async renew() {
      const isCooling = renewal !== undefined && nowMs() - renewal.atMs < COOLDOWN_MS
      const isRunning = loading !== undefined
      if (!isCooling) renewal = { atMs: nowMs(), outcome: loadOnce() }
      const outcome = await (renewal as NonNullable<typeof renewal>).outcome
      // A renewal that failed has shown nothing about the token: the provider is the trouble for the whole cooldown.
      return outcome.ok ? { ok: true, value: !isCooling || isRunning } : outcome
    },
    state: () => ({ ageMs: loaded === undefined ? undefined : nowMs() - loadedAtMs, trouble }),
  }
}
