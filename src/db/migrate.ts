// Applies the embedded migrations. Each one is sent as a single message, so it is one transaction on the server
// without one being held open from here, and each takes the lock inside it (a transaction-scoped advisory lock also
// works through a transaction-mode pooler). Replicas that start together queue up and find the work done.
import { sql } from 'drizzle-orm'
import type { Observe } from '../observe/events.ts'
import type { Database } from './connect.ts'
import { DatabaseError } from './database-error.ts'
import { BootError } from '../errors.ts'

export interface Migration {
  /** File name, ordered: `0001_sign_in.sql`. */
  name: string
  text: string
}

/** Any constant will do, as long as every version of the program uses the same. */
const LOCK = 7305_4661
const MIGRATION_DEADLINE_MS = 60_000

/** Brings the schema up to date. Throws BootError naming the migration that failed. */
export async function migrate(db: Database, migrations: readonly Migration[], observe: Observe): Promise<void> {
  await apply(db, 'the migration table', `
    select pg_advisory_xact_lock(${LOCK});
    create table if not exists schema_migration (name text primary key, applied_at timestamptz not null default now());
  `)
  const before = await applied(db)
  for (const { name, text } of migrations) {
    if (before.has(name)) continue
    await apply(db, name, once(name, text))
    observe({ op: 'info', message: `migration ${name} is applied` })
  }
}

async function applied(db: Database): Promise<Set<string>> {
  const rows = await db.run<{ name: string }>(sql`select name from schema_migration`)
  return new Set(rows.map((row) => row.name))
}

/** The check and the migration stand in one DO block, so that a replica which waited for the lock does nothing. */
function once(name: string, text: string): string {
  const inner = dollarQuote(text)
  return `
    select pg_advisory_xact_lock(${LOCK});
    set local lock_timeout = '30s';
    do $gatehouse$
    begin
      if exists (select from schema_migration where name = '${name}') then return; end if;
      execute ${inner}${text}${inner};
      insert into schema_migration (name) values ('${name}');
    end
    $gatehouse$;
  `
}

/** A dollar quote that does not occur in the text. */
function dollarQuote(text: string): string {
  let tag = '$migration$'
  for (let n = 0; text.includes(tag); n++) tag = `$migration${n}$`
  return tag
}

async function apply(db: Database, what: string, text: string): Promise<void> {
  try {
    await db.script(text, { deadlineMs: MIGRATION_DEADLINE_MS })
  } catch (error) {
    if (error instanceof DatabaseError && (error.code === 'unreachable' || error.code === 'deadline')) throw error
    const state = error instanceof DatabaseError ? error.sqlState : undefined
    const hint = state === '42501' ? '; the database user needs the right to create tables in this schema' : ''
    throw new BootError(`store: ${what} could not be applied (SQLSTATE ${state ?? 'unknown'})${hint}`)
  }
}
