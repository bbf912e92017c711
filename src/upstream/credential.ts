// Credentials that renew themselves: ahead of their end, one renewal at a time, the last good one kept while renewing fails.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Observe } from '../observe/events.ts'
import { CredentialError } from './upstream.ts'

export interface Expiring<value> {
  readonly value: value
  /** Infinity for what does not end by itself. */
  readonly expiresAtMs: number
  /** From when on it is renewed in the background; a while before its end unless given. */
  readonly renewAtMs?: number
}

export interface Credential<value> {
  /** A living credential. Throws CredentialError when there is none and none can be had. */
  get(): Promise<value>
  /**
   * The upstream refused this one although it should live: the next `get` waits for a new one. Says nothing when another
   * is at hand by now: of many requests under way with the old one, each is refused.
   */
  refused(value: value): void
  /** When the one at hand was got and when it ends, for the operator; undefined before the first. */
  state(): { readonly obtainedAtMs: number; readonly expiresAtMs: number } | undefined
}

/** Why the last attempt to get a credential failed. */
export interface CredentialTrouble {
  /** Milliseconds since the epoch. */
  readonly atMs: number
  readonly message: string
}

/** What getting a credential needs. */
export interface CredentialDeps extends CredentialOptions {
  /** Reaches the platform's metadata services, besides what every request may reach. */
  readonly fetch: GuardedFetch
  /** Where platforms say who this machine is and where its credentials are. */
  readonly environment: Environment
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface CredentialOptions {
  /** Whose it is, for the log: `upstream bedrock`. */
  readonly name: string
  readonly observe: Observe
  readonly now: () => Date
  /** Hears how each attempt to get one ended. */
  readonly attempted?: ((trouble: CredentialTrouble | undefined) => void) | undefined
}

/** Renewed this long before the end, while the old one is still used. */
const EARLY_MS = 300_000
/** Closer to the end than this a credential is not used any more: it would end on the way. */
const LATE_MS = 30_000
/** A source that fails is not asked again sooner. */
const BACK_OFF_MS = 5000
/** An upstream that refuses every credential must not have them fetched for every request. */
const REFUSED_AGAIN_MS = 10_000

/** `load` gets a new credential from its source; what it throws is for the operator alone. */
export function keepFresh<value>(load: () => Promise<Expiring<value>>, { name, observe, now, attempted }: CredentialOptions): Credential<value> {
  let current: (Expiring<value> & { obtainedAtMs: number }) | undefined
  let isRefused = false
  let refusedAtMs = Number.NEGATIVE_INFINITY
  let loading: Promise<value> | undefined
  let failure: CredentialTrouble | undefined

  async function renew(): Promise<value> {
    try {
      const loaded = await load()
      current = { ...loaded, obtainedAtMs: now().getTime() }
      isRefused = false
      failure = undefined
      attempted?.(undefined)
      return loaded.value
    } catch (error) {
      const message = error instanceof Error ? error.message.slice(0, 500) : String(error)
      failure = { atMs: now().getTime(), message }
      attempted?.(failure)
      observe({ op: 'error', message: `${name}: cannot get a credential: ${message}`, repeat: `credential ${name}` })
      throw new CredentialError(message)
    } finally {
      loading = undefined
    }
  }

  return {
    async get() {
      const nowMs = now().getTime()
      const rests = failure !== undefined && nowMs - failure.atMs < BACK_OFF_MS
      const lives = current !== undefined && current.expiresAtMs - nowMs > LATE_MS
      if (current !== undefined && lives && !isRefused) {
        if (nowMs >= (current.renewAtMs ?? current.expiresAtMs - EARLY_MS) && !rests) (loading ??= renew()).catch(() => {})
        return current.value
      }
      if (rests && loading === undefined) {
        if (current !== undefined && lives) return current.value
        throw new CredentialError(failure?.message ?? 'there is none')
      }
      const last = lives ? current : undefined
      loading ??= renew()
      return last === undefined ? loading : loading.catch(() => last.value)
    },
    refused(value) {
      const nowMs = now().getTime()
      if (current?.value !== value || isRefused || nowMs - refusedAtMs < REFUSED_AGAIN_MS) return
      isRefused = true
      refusedAtMs = nowMs
    },
    state: () => current && { obtainedAtMs: current.obtainedAtMs, expiresAtMs: current.expiresAtMs },
  }
}
