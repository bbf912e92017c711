// From clients to the organisation's collectors: what comes is offered to each that wants it.
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import { BootError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import type { Principal } from '../principal.ts'
import { lockDirectory } from '../std/directory-lock.ts'
import { createCollector, type CollectorConfig, type CollectorReport, type Export } from './collector.ts'
import { identityAttributes } from './identity.ts'
import { openSpool, type Spool } from './spool.ts'
import { stamp } from './stamp.ts'

export interface TelemetryRelay {
  /** Offers an export to every collector that wants its signal. Never waits for one; with a spool, until the export is on disk. */
  accept(item: Export, person: Pick<Principal, 'sub' | 'email' | 'groups'>): Promise<void>
  reports(): CollectorReport[]
  stop(): Promise<void>
}

export interface TelemetryRelayOptions {
  readonly collectors: readonly (Omit<CollectorConfig, 'name'> & { readonly stamp_identity: boolean })[]
  readonly spool: { readonly dir: string; readonly max_bytes: number } | undefined
  readonly fetch: GuardedFetch
  readonly observe: Observe
}

/** How long the last exports may take when the process ends. */
const FAREWELL_MS = 3000
const SPOOL_NAME = /^[0-9a-f]{16}$/

/** Throws BootError where the spool cannot be used. */
export async function createTelemetryRelay({ collectors, spool, fetch, observe }: TelemetryRelayOptions): Promise<TelemetryRelay> {
  const warn = (message: string) => observe({ op: 'warn', message, repeat: message })
  const names = numbered(collectors.map(({ url }) => new URL(url).host))
  const disk = spool === undefined ? undefined : await openSpools(spool, numbered(collectors.map(placeOf)), warn)
  const all = collectors.map((config, at) => ({ stamps: config.stamp_identity, collector: createCollector({ ...config, name: names[at] as string }, { fetch, warn, spool: disk?.spools[at] }) }))

  async function stampedOrAsItIs(item: Export, person: Parameters<TelemetryRelay['accept']>[1]): Promise<Export> {
    const stamped = await stamp(item, identityAttributes(person))
    if (stamped === undefined) warn('telemetry: an export is too large, or no OTLP that can be read; it goes on without an identity')
    return stamped ?? item
  }

  return {
    async accept(item, person) {
      const wanting = all.filter(({ collector }) => collector.wants(item.signal))
      const stamped = wanting.some(({ stamps }) => stamps) ? await stampedOrAsItIs(item, person) : item
      await Promise.all(wanting.map(({ stamps, collector }) => collector.offer(stamps ? stamped : item)))
    },
    reports: () => all.map(({ collector }) => collector.report()),
    async stop() {
      const dropped = await Promise.all(all.map(({ collector }) => collector.stop(FAREWELL_MS)))
      for (const [at, times] of dropped.entries()) if (times > 0) warn(`telemetry: collector ${names[at]}: ${times} exports were not delivered before the end`)
      disk?.unlock()
    },
  }
}

/** A directory for each collector, by a hash of its place, below one that this process alone may use. */
async function openSpools({ dir, max_bytes }: { dir: string; max_bytes: number }, places: readonly string[], warn: (message: string) => void): Promise<{ spools: Spool[]; unlock: () => void }> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((error: { code?: string }) => {
    throw new BootError(`telemetry.spool: ${dir} cannot be made (${error.code ?? 'unknown'})`)
  })
  const lock = lockDirectory(dir)
  if (!lock.ok) throw new BootError(`telemetry.spool: ${dir} ${lock.reason}`)
  try {
    const own = places.map((place) => new Bun.CryptoHasher('sha256').update(place).digest('hex').slice(0, 16))
    for (const other of await readdir(dir)) if (SPOOL_NAME.test(other) && !own.includes(other)) warn(`telemetry.spool: ${join(dir, other)} is of a collector that is configured no more; what is in it waits for nobody`)
    return { spools: await Promise.all(own.map((name) => openSpool(join(dir, name), max_bytes, warn))), unlock: lock.value }
  } catch (error) {
    lock.value()
    throw error
  }
}

/** The path too: it tells two tenants of a vendor apart, and with some it is the secret. It is never shown. */
function placeOf({ url }: { readonly url: string }): string {
  const { host, pathname } = new URL(url)
  return host + pathname.replace(/\/$/, '')
}

/** Of several of one name the later ones with a number. */
function numbered(names: readonly string[]): string[] {
  return names.map((name, at) => {
    const earlier = names.slice(0, at).filter((other) => other === name).length
    return earlier === 0 ? name : `${name} (${earlier + 1})`
  })
}
