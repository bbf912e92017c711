// All SQL of what a person sees of themselves. Each function is one statement.
import { sql } from 'drizzle-orm'
import type { Database } from '../db/connect.ts'

/** What a person used of one model on one day. */
export interface DayOfModel {
  /** `2026-11-27`, UTC. */
  readonly day: string
  readonly model: string
  readonly requests: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly cacheReadTokens: bigint
  readonly cacheWriteTokens: bigint
  /** Nano-dollars. */
  readonly cost: bigint
}

const READ_MS = 2000

/** From the ledger by hour, by day and model. `from`: the first moment that counts. */
export async function readDays(db: Database, person: { issuer: string; sub: string }, from: Date): Promise<DayOfModel[]> {
  const rows = await db.run<Record<'day' | 'model' | 'requests' | 'input' | 'output' | 'cache_read' | 'cache_write' | 'cost', string>>(
    sql`
    select spend_day_of(hour)::text as day, model, sum(requests)::text as requests, sum(input_tokens)::text as input, sum(output_tokens)::text as output,
           sum(cache_read_tokens)::text as cache_read, sum(cache_write_5m_tokens + cache_write_1h_tokens)::text as cache_write, sum(cost)::text as cost
    from usage_hour where issuer = ${person.issuer} and sub = ${person.sub} and hour >= ${from.toISOString()}::timestamptz
    group by 1, 2 order by 1, 2`,
    { deadlineMs: READ_MS },
  )
  return rows.map((row) => ({
    day: row.day,
    model: row.model,
    requests: BigInt(row.requests),
    inputTokens: BigInt(row.input),
    outputTokens: BigInt(row.output),
    cacheReadTokens: BigInt(row.cache_read),
    cacheWriteTokens: BigInt(row.cache_write),
    cost: BigInt(row.cost),
  }))
}
