// The usage ledger: a request is written down before it is sent, and settled when it has ended. A process that dies
// leaves its holds behind, and another settles them at a conservative cost.
import type { Database } from '../db/connect.ts'
import { DatabaseError } from '../db/database-error.ts'
import { createWriteQueue, type WriteQueueState } from '../db/write-queue.ts'
import type { Observe } from '../observe/events.ts'
import { startRounds } from '../std/rounds.ts'
import { personKey, type Counter } from './counters.ts'
import { ledgerRequest, ledgerRow, type Execution, type LedgerRequest, type LedgerRow } from './execution.ts'
import { createGroupCommit, TimeoutError } from './group-commit.ts'
import { admitBatch, forget, holdsOf, makePartitions, markAlive, readCounters, settleBatch, sweepDead, type AdmissionEntry, type AdmissionRow, type CounterSums, type LimitedCounter, type Retention } from './store.ts'

export interface AdmissionRequest extends Omit<LedgerRequest, 'startedAt'> {
  readonly counters: readonly LimitedCounter[]
  /** Holds the conservative cost on the counters; else their limits are looked at only. */
  readonly reserves: boolean
  /** What is settled should this process die before the request ends. */
  readonly conservative: Execution
}

export interface Ledger {
  /**
   * Writes a request down, or says that a counter is at its limit: then nothing is written. One round trip, shared with
   * whoever asks at the same time. Throws LedgerUnavailable.
   */
  admit(request: AdmissionRequest): Promise<AdmissionRow>
  /** The request has ended: its executions, in order. None: nothing was sent. Never throws and never waits. */
  settle(request: LedgerRequest, executions: readonly Execution[]): void
  /** What stands on counters now, and the database's time. */
  read(counters: readonly Counter[]): Promise<{ now: Date; sums: CounterSums[] }>
  /** Nano-dollars of a person that are settled here and not in the database yet. */
  unsettled(personKey: string): bigint
  /** Of those, what never will be: the database refuses it, and no amount is held for it. For a day. */
  unwritable(personKey: string): bigint
  /** Resolves when everything settled so far is written; false when `limitMs` have passed before. */
  flush(limitMs: number): Promise<boolean>
  state(): LedgerState
  /** Of this process, as `gateway_process` knows it. */
  readonly processId: string
  stop(): Promise<void>
}

export interface LedgerState extends WriteQueueState {
  /** Settlements that were written. */
  readonly settled: number
  readonly running: number
  /** Nano-dollars that are held for them. */
  readonly held: bigint
  readonly admissions: { readonly batches: number; readonly entries: number }
  /** Requests of dead processes that were settled here. */
  readonly swept: number
  /** Admissions without an answer in time. */
  readonly unanswered: number
}

/** `full`: more is waiting to be written than may be kept in memory; a request that ran now might never be. */
export class LedgerUnavailable extends Error {
  readonly reason: 'unreachable' | 'full'

  constructor(reason: 'unreachable' | 'full', detail: string) {
    super(`usage ledger: ${detail}`)
    this.name = 'LedgerUnavailable'
    this.reason = reason
  }
}

/** On its way to the database. */
interface Settlement {
  readonly requestId: string
  /** As `ledgerRequest` makes it. */
  readonly request: object
  /** None: nothing was sent, the hold is let go. */
  readonly rows: readonly LedgerRow[]
  /** The database has it as a hold; else its admission was not answered, and it may. */
  readonly isHeld: boolean
}

export interface LedgerOptions {
  db: Database
  observe: Observe
  retention: Retention
  /** Monotonic, in milliseconds. */
  nowMs: () => number
  timing?: Partial<LedgerTiming>
  /** Settlements in memory. */
  mostWaiting?: number
}

export interface LedgerTiming {
  beatMs: number
  deadAfterSeconds: number
}

/** Contract §5: the check waits at most two seconds. */
const ADMIT_MS = 2000
const READ_MS = 2000
const MOST_IN_BATCH = 200
const SETTLE_MS = 10_000
/** A statement costs PostgreSQL as much as some forty rows. */
const GATHER_MS = 200
/** Some three kilobytes each: a hundred megabytes. */
const MOST_WAITING = 30_000
/** An admission that is answered later than this was given up by its request long ago. */
const LATE_SECONDS = 60
const UNWRITABLE_MS = 86_400_000
const TIMING: LedgerTiming = { beatMs: 10_000, deadAfterSeconds: 60 }
const MOST_SWEPT = 500
const HOUSEKEEPING_MS = 3_600_000
const FAREWELL_MS = 5000

/** Throws DatabaseError when the database is not there: the ledger must be, before anything is served. */
export async function createLedger({ db, observe, retention, nowMs, timing, mostWaiting = MOST_WAITING }: LedgerOptions): Promise<Ledger> {
  const { beatMs, deadAfterSeconds } = { ...TIMING, ...timing }
  const processId = crypto.randomUUID()
  /** Held, and not settled in the database yet; what was set aside stays. */
  const running = new Map<string, bigint>()
  const unsettled = new Map<string, bigint>()
  /** Oldest first. */
  let unwritable: { readonly key: string; readonly cost: bigint; readonly sinceMs: number }[] = []
  let swept = 0
  let unanswered = 0
  let aliveSinceMs = nowMs()
  let isDown = false

  const admissions = createGroupCommit<AdmissionEntry, AdmissionRow>({
    most: MOST_IN_BATCH,
    limitMs: ADMIT_MS,
    async send(entries, isWanted) {
      let wanted = entries
      const answers = await withRetries(() => admitBatch(db, processId, wanted, ADMIT_MS), () => {
        // A hold for somebody who has given up would be left over.
        wanted = wanted.filter(isWanted)
        return wanted.length > 0
      })
      const byId = new Map(answers.map((answer) => [answer.requestId, answer]))
      return entries.map(({ requestId }) => byId.get(requestId) as AdmissionRow)
    },
  })
  const owed = new Map<string, { key: string; cost: bigint }>()
  const queue = createWriteQueue<Settlement>({
    write: (batch) => settleBatch(db, batch.map(({ request }) => request), batch.flatMap(({ rows }) => rows), SETTLE_MS),
    written: ended,
    setAside({ requestId, rows, isHeld }, error) {
      const cost = `${error.message}; cost ${rows.map((row) => row.cost).join(' + ')} nano-dollars`
      // What is held for it counts in its place.
      if ((running.get(requestId) ?? 0n) > 0n) forgetDebt(requestId)
      else keepDebt(requestId)
      observe({
        op: 'error',
        message: isHeld
          ? `usage ledger: a settlement cannot be written and is kept as a hold: ${cost}`
          : `usage ledger: a settlement cannot be written, and nothing is known to be held for it: ${cost}, which count for its person here for a day`,
        request_id: requestId,
      })
    },
    troubled: (error) => observe({ op: 'warn', message: `usage ledger: ${error.message}; ${queue.state.waiting} settlements wait`, repeat: 'ledger.settle' }),
    failed: (error) => observe({ op: 'error', message: `usage ledger: what follows a settlement failed: ${error.message}`, repeat: 'ledger.settled' }),
    nowMs,
    mayOvertake: true,
    gatherMs: GATHER_MS,
  })

  function ended({ requestId }: Settlement): void {
    running.delete(requestId)
    forgetDebt(requestId)
  }

  /** It stays among what is unsettled. */
  function keepDebt(requestId: string): void {
    const debt = owed.get(requestId)
    if (debt === undefined) return
    owed.delete(requestId)
    unwritable.push({ ...debt, sinceMs: nowMs() })
  }

  /** It counts in every period, also in those that begin after it: longer than the shortest it would be wrong more often than right. */
  function forgetOldDebts(): void {
    const isOld = ({ sinceMs }: { sinceMs: number }) => nowMs() - sinceMs > UNWRITABLE_MS
    for (const { key, cost } of unwritable.filter(isOld)) takeOff(key, cost)
    unwritable = unwritable.filter((debt) => !isOld(debt))
  }

  function forgetDebt(requestId: string): void {
    const debt = owed.get(requestId)
    if (debt === undefined) return
    owed.delete(requestId)
    takeOff(debt.key, debt.cost)
  }

  function takeOff(key: string, cost: bigint): void {
    const left = (unsettled.get(key) ?? 0n) - cost
    if (left > 0n) unsettled.set(key, left)
    else unsettled.delete(key)
  }

  // A month without a partition of its own has a place all the same.
  await makePartitions(db).catch(housekeepingFailed)
  await markAlive(db, processId)

  function housekeepingFailed(error: Error): void {
    observe({ op: 'warn', message: `usage ledger: housekeeping: ${error.message}`, repeat: 'ledger.housekeeping' })
  }

  async function beat(): Promise<void> {
    forgetOldDebts()
    await markAlive(db, processId)
    // Left by an admission whose answer came too late for its request.
    await letGoOfOthers(LATE_SECONDS)
    // Others may seem dead to one that was itself cut off a moment ago.
    if (nowMs() - aliveSinceMs < deadAfterSeconds * 1000) return
    for (let found = MOST_SWEPT; found === MOST_SWEPT; ) {
      const answer = await sweepDead(db, deadAfterSeconds, MOST_SWEPT)
      found = answer.swept + answer.stuck
      swept += answer.swept
      if (answer.swept > 0) observe({ op: 'warn', message: `usage ledger: ${answer.swept} requests of a process that died are settled at their conservative cost` })
      if (answer.stuck > 0) observe({ op: 'error', message: `usage ledger: ${answer.stuck} requests of a process that died cannot be settled: see usage_hold where is_stuck` })
    }
  }

  /** What this process holds, and nothing of it runs. */
  async function letGoOfOthers(forSeconds: number): Promise<void> {
    for (const requestId of await holdsOf(db, processId, forSeconds)) if (!running.has(requestId)) queue.add({ requestId, request: { request_id: requestId }, rows: [], isHeld: true })
  }

  const beats = startRounds(beatMs, beat, (error) => {
    aliveSinceMs = nowMs()
    observe({ op: 'warn', message: `usage ledger: ${error.message}`, repeat: 'ledger.beat' })
  })
  const housekeeping = startRounds(HOUSEKEEPING_MS, () => makePartitions(db).then(() => forget(db, retention)), housekeepingFailed)

  return {
    processId,
    async admit({ requestId, person, pools, counters, reserves, conservative }) {
      if (queue.state.waiting >= mostWaiting) throw new LedgerUnavailable('full', `${mostWaiting} settlements wait for the database`)
      // One asks on behalf of all whether the database is back; the others do not wait for it.
      if (isDown && admissions.isBusy()) {
        unanswered++
        throw new LedgerUnavailable('unreachable', 'the database does not answer')
      }
      const request = ledgerRequest({ requestId, person, pools, startedAt: new Date() }, { seen: false })
      const entry = { requestId, counters, held: reserves ? conservative.cost : 0n, conservative: { request, rows: [ledgerRow(requestId, 1, conservative)] } }
      running.set(requestId, entry.held)
      try {
        const answer = await admissions.add(entry)
        isDown = false
        if (!answer.isAdmitted) running.delete(requestId)
        return answer
      } catch (error) {
        // Whether it is held is unknown. If so and nothing is settled for it, the next beat lets it go.
        running.delete(requestId)
        if (!(error instanceof TimeoutError || error instanceof DatabaseError)) throw error
        isDown = true
        unanswered++
        throw new LedgerUnavailable('unreachable', error.message)
      }
    },
    settle(request, executions) {
      const rows = executions.map((execution, at) => ledgerRow(request.requestId, at + 1, execution))
      const cost = executions.reduce((sum, execution) => sum + execution.cost, 0n)
      const key = personKey(request.person)
      const isHeld = running.has(request.requestId)
      if (!isHeld) running.set(request.requestId, 0n)
      if (cost > 0n) {
        owed.set(request.requestId, { key, cost })
        unsettled.set(key, (unsettled.get(key) ?? 0n) + cost)
      }
      queue.add({ requestId: request.requestId, request: ledgerRequest(request, { seen: rows.length > 0 }), rows, isHeld })
    },
    read: (counters) => readCounters(db, counters, READ_MS),
    unsettled: (key) => unsettled.get(key) ?? 0n,
    unwritable: (key) => unwritable.reduce((sum, debt) => (debt.key === key ? sum + debt.cost : sum), 0n),
    flush: queue.flush,
    state: () => ({ ...queue.state, settled: queue.state.written, running: running.size, held: [...running.values()].reduce((sum, one) => sum + one, 0n), admissions: admissions.counts, swept, unanswered }),
    async stop() {
      void beats.stop()
      void housekeeping.stop()
      await letGoOfOthers(0).catch(() => {})
      if (!(await queue.flush(FAREWELL_MS))) observe({ op: 'error', message: `usage ledger: the database did not take ${queue.state.waiting} settlements before the end; another process settles what was held for them at its conservative cost` })
      queue.stop()
    },
  }
}

const MOST_TRIES = 4
/** Deadlock, serialization failure. */
const COLLIDED = /^(40001|40P01)$/
const PAUSE_MS = 30

/**
 * Admission may be repeated: a hold that is there already is found again. A connection that broke is worth another at
 * once, because a request that is not written down is lost with its process.
 */
async function withRetries<value>(work: () => Promise<value>, isWorthIt: () => boolean): Promise<value> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      const isPassing = error instanceof DatabaseError && (error.code === 'unreachable' || COLLIDED.test(error.sqlState ?? ''))
      if (tries === MOST_TRIES || !isPassing) throw error
      await Bun.sleep(PAUSE_MS * tries * (0.5 + Math.random()))
      if (!isWorthIt()) throw error
    }
  }
}
