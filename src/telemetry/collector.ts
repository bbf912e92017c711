// One collector that exports are relayed to, byte for byte and off the request path. What it refuses for good is dropped at
// once; what it cannot take now is kept, up to a limit, and offered again, while others go on. With a spool everything is on
// disk until it is settled, and memory holds the oldest of it.
import type { GuardedFetch } from '../egress/guarded-fetch.ts'
import type { Secret } from '../std/secret.ts'
import { sendExport, waitMs } from './send-export.ts'
import type { Signal } from './signal.ts'
import { whoseHash, type Spool, type Spooled } from './spool.ts'

export interface CollectorConfig {
  /** For the log and the metrics. */
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, Secret | string>>
  readonly metrics: boolean
  readonly logs: boolean
  readonly traces: boolean
}

/** An export as a client sent it. */
export interface Export {
  /** Whose it is. */
  readonly sub: string
  readonly signal: Signal
  readonly contentType: string
  /** `gzip`, or undefined for none. */
  readonly contentEncoding: string | undefined
  readonly body: Uint8Array
}

/** What became of exports; every one that was offered is in exactly one of these in the end, here or at the next process. */
export type Outcome = 'delivered' | 'rejected' | 'gave_up' | 'queue_full' | 'unreadable'

export interface CollectorReport {
  readonly name: string
  /** In memory. */
  readonly held: number
  readonly heldBytes: number
  /** Taken on disk, with those in memory that are there, too; undefined without a spool. */
  readonly spooledBytes: number | undefined
  readonly outcomes: Readonly<Record<Signal, Readonly<Record<Outcome, number>>>>
  /** Why the last attempt failed; undefined after one that did not. */
  readonly trouble: string | undefined
  /** For how long no attempt has succeeded, in milliseconds; undefined where the last one did. */
  readonly troubledMs: number | undefined
  /** Milliseconds for which the collector has asked to be left alone; 0 when it has not. */
  readonly pausedMs: number
}

export interface Collector {
  wants(signal: Signal): boolean
  /** Takes an export if the collector wants its signal. Never waits for the collector; with a spool, until it is on disk. */
  offer(item: Export): Promise<void> | void
  report(): CollectorReport
  /** Offers what is held once more, for as long as `ms`, then drops what is not on disk: how many exports. */
  stop(ms: number): Promise<number>
}

export interface CollectorDeps {
  readonly fetch: GuardedFetch
  /** Hears once of each kind of trouble in a while. */
  readonly warn: (message: string) => void
  readonly spool?: Spool | undefined
  /** Milliseconds before attempt 2, 3, …; the length bounds the attempts, with a spool the last one goes on. */
  readonly delaysMs?: readonly number[]
  readonly maxHeldBytes?: number
  /** Milliseconds until the disk is asked again after it could not be read. */
  readonly refillMs?: number
}

/** Some minutes: a collector restarts in less. */
const DELAYS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 60_000]
/** What is on disk is offered this long: an export that no answer ever settles must not stay for ever. */
const MOST_AGE_MS = 24 * 3600 * 1000
const MAX_HELD_BYTES = 32 * 1024 * 1024
/** Of it, for one person: nobody's client keeps everybody else's out. */
const SHARE_OF_PERSON = 1 / 4
/** What an export costs besides its body. */
const OVERHEAD_BYTES = 1024
const MAX_IN_FLIGHT = 8
/** So often one export is believed that it is the collector that wants to be left alone, and not the export that it does not want. */
const MOST_THROTTLES = 3
const REFILL_MS = 1000
/** Between attempts when the process is about to end. */
const HURRY_MS = 200

interface Held {
  readonly item: Export
  /** Its file, with a spool. */
  readonly entry: Spooled | undefined
  attempts: number
  isInFlight: boolean
  throttles: number
  /** How many had been delivered when it was asked to wait first. */
  deliveredBefore: number
}

export function createCollector(config: CollectorConfig, deps: CollectorDeps): Collector {
  const { spool, warn, delaysMs = DELAYS_MS, maxHeldBytes = MAX_HELD_BYTES, refillMs = REFILL_MS } = deps
  const { name } = config
  const outcomes = { metrics: noOutcomes(), logs: noOutcomes(), traces: noOutcomes() }
  const held = new Set<Held>()
  const later = new Map<Timer, Held>()
  const bytesOf = new Map<string, number>()
  const ending = new AbortController()
  let ready: Held[] = []
  /** On disk alone, oldest first. */
  const backlog = new Set(spool?.takeFound())
  /** What was asked to wait since the last delivery. */
  const throttled = new Set<Held>()
  let [heldBytes, inFlight, delivered, isStopping, isFilling] = [0, 0, 0, false, false]
  let trouble: string | undefined
  let troubledSinceMs = 0
  let refill: Timer | undefined
  let pause: { timer: Timer; untilMs: number } | undefined

  function finish(one: Held, outcome: Outcome): void {
    if (!held.delete(one)) return
    throttled.delete(one)
    account(one.item, -1)
    outcomes[one.item.signal][outcome]++
    if (outcome === 'delivered') {
      delivered++
      throttled.clear()
    }
    if (one.entry !== undefined) spool?.remove(one.entry)
    if (backlog.size > 0) void fill()
  }

  function account({ sub, body }: Export, sign: 1 | -1): void {
    const bytes = sign * (body.byteLength + OVERHEAD_BYTES)
    heldBytes += bytes
    const own = (bytesOf.get(sub) ?? 0) + bytes
    if (own === 0) bytesOf.delete(sub)
    else bytesOf.set(sub, own)
  }

  const fits = (bodyBytes: number) => heldBytes + bodyBytes + OVERHEAD_BYTES <= maxHeldBytes

  function hasRoomFor({ sub, body }: Export): boolean {
    return fits(body.byteLength) && (bytesOf.get(sub) ?? 0) + body.byteLength + OVERHEAD_BYTES <= maxHeldBytes * SHARE_OF_PERSON
  }

  function hold(item: Export, entry: Spooled | undefined): void {
    const one = { item, entry, attempts: 0, isInFlight: false, throttles: 0, deliveredBefore: 0 }
    held.add(one)
    account(item, 1)
    ready.push(one)
    pump()
  }

  function pump(): void {
    while (inFlight < MAX_IN_FLIGHT && ready.length > 0 && (pause === undefined || isStopping)) {
      const one = ready.shift() as Held
      if (!held.has(one)) continue
      inFlight++
      void attempt(one).finally(() => {
        inFlight--
        pump()
      })
    }
  }

  async function attempt(one: Held): Promise<void> {
    one.attempts++
    one.isInFlight = true
    const { kind, why, retryAfter, isThrottled } = await sendExport(deps.fetch, config, one.item, ending.signal)
    one.isInFlight = false
    if (trouble === undefined) troubledSinceMs = performance.now()
    trouble = kind === 'delivered' ? undefined : why
    if (kind !== 'delivered') warn(`telemetry: collector ${name}: ${why}`)
    if (kind !== 'later') return finish(one, kind)
    if (!held.has(one)) return
    const delayMs = delayOf(one)
    if (delayMs === undefined) return finish(one, 'gave_up')
    const ms = isStopping ? HURRY_MS : waitMs(delayMs, retryAfter)
    if (isThrottled && isOfAll(one)) pauseFor(waitMs(delaysMs[Math.min(throttled.size, delaysMs.length) - 1] ?? 0, retryAfter))
    wait(one, ms)
  }

  /**
   * Whether all are asked to wait with one. There are exports that draw 429 whenever they come: what is asked for one
   * again and again while others get through is meant for it.
   */
  function isOfAll(one: Held): boolean {
    if (one.throttles === 0) one.deliveredBefore = delivered
    one.throttles++
    if (one.throttles > MOST_THROTTLES && delivered > one.deliveredBefore) return false
    // Of those that were under way at once the first speaks for all.
    if (pause === undefined) throttled.add(one)
    return true
  }

  function delayOf({ attempts, entry }: Held): number | undefined {
    if (entry === undefined) return delaysMs[attempts - 1]
    return isOld(entry) ? undefined : (delaysMs[attempts - 1] ?? delaysMs.at(-1))
  }

  function wait(one: Held, ms: number): void {
    const timer = setTimeout(() => {
      later.delete(timer)
      ready.push(one)
      pump()
    }, ms)
    timer.unref()
    later.set(timer, one)
  }

  function pauseFor(ms: number): void {
    const untilMs = performance.now() + ms
    if (isStopping || untilMs <= (pause?.untilMs ?? 0)) return
    clearTimeout(pause?.timer)
    const timer = setTimeout(() => {
      pause = undefined
      pump()
    }, ms)
    timer.unref()
    pause = { timer, untilMs }
  }

  function lose(signal: Signal): void {
    outcomes[signal].queue_full++
    if (!isStopping) warn(`telemetry: collector ${name}: too much waits for it; the oldest or what comes now is dropped`)
  }

  function take(item: Export): void {
    if (isStopping || !hasRoomFor(item)) lose(item.signal)
    else hold(item, undefined)
  }

  async function takeOnDisk(item: Export, disk: Spool): Promise<void> {
    if (!disk.hasShareFor(whoseHash(item.sub), item.body.byteLength)) return lose(item.signal)
    const entry = await disk.write(item)
    if (entry === undefined) return take(item)
    while (disk.isFull() && dropOldest(disk));
    if (backlog.size > 0 || isStopping || !fits(item.body.byteLength)) backlog.add(entry)
    else hold(item, entry)
    if (backlog.size > 0) void fill()
  }

  /** Those in memory are older than those on disk alone. False when all of them are on their way. */
  function dropOldest(disk: Spool): boolean {
    for (const one of held) {
      if (one.isInFlight || one.entry === undefined) continue
      finish(one, 'queue_full')
      warn(`telemetry: collector ${name}: too much waits for it; the oldest or what comes now is dropped`)
      return true
    }
    for (const entry of backlog) {
      backlog.delete(entry)
      disk.remove(entry)
      lose(entry.signal)
      return true
    }
    return false
  }

  /** Brings the oldest from disk while there is room in memory. */
  async function fill(): Promise<void> {
    if (isFilling || spool === undefined || refill !== undefined) return
    isFilling = true
    for (const entry of backlog) {
      // One that is larger than all the room there is goes alone.
      if (isStopping || (held.size > 0 && !fits(entry.bytes))) break
      const item = await spool.read(entry)
      // It may have been dropped meanwhile.
      if (!backlog.delete(entry)) continue
      if (item === 'later') {
        // Behind the others: it may be this file alone.
        backlog.add(entry)
        fillLater()
        break
      }
      if (typeof item !== 'string') hold(item, entry)
      else {
        spool.setAside(entry)
        outcomes[entry.signal].unreadable++
      }
    }
    isFilling = false
  }

  /** What stops every read, such as too many open files, must not be asked for over and over. */
  function fillLater(): void {
    if (refill !== undefined || isStopping) return
    refill = setTimeout(() => {
      refill = undefined
      void fill()
    }, refillMs)
    refill.unref()
  }

  void fill()
  return {
    wants: (signal) => config[signal],
    offer(item) {
      // The empty message says nothing.
      if (!config[item.signal] || item.body.byteLength === 0) return
      if (spool === undefined) return take(item)
      return takeOnDisk(item, spool)
    },
    report: () => ({ name, held: held.size, heldBytes, spooledBytes: spool?.bytes, outcomes, trouble, troubledMs: trouble === undefined ? undefined : performance.now() - troubledSinceMs, pausedMs: Math.max(0, Math.round((pause?.untilMs ?? 0) - performance.now())) }),
    async stop(ms) {
      isStopping = true
      clearTimeout(pause?.timer)
      clearTimeout(refill)
      ready.push(...later.values())
      for (const timer of later.keys()) clearTimeout(timer)
      later.clear()
      pump()
      const endMs = performance.now() + ms
      while (held.size > 0 && performance.now() < endMs) await Bun.sleep(20)
      const dropped = [...held].filter(({ entry }) => entry === undefined)
      for (const one of dropped) finish(one, 'gave_up')
      // The rest is on disk, for the next process.
      for (const one of held) account(one.item, -1)
      held.clear()
      ready = []
      for (const timer of later.keys()) clearTimeout(timer)
      ending.abort()
      return dropped.length
    },
  }
}

function isOld({ sinceMs }: Spooled): boolean {
  return Date.now() - sinceMs > MOST_AGE_MS
}

function noOutcomes(): Record<Outcome, number> {
  return { delivered: 0, rejected: 0, gave_up: 0, queue_full: 0, unreadable: 0 }
}
