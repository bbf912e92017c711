// Statements whose text is made once. Otherwise drizzle puts text and parameters together anew for each run, which takes
// longer than the driver does to send them.
import { Placeholder, SQL, sql } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'

/** A statement as the driver takes it: its text, and what its `$1`, `$2`, … are. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** What a parameter can be; anything else is written as text, and cast where it arrives. */
export type Parameter = string | number | boolean | null

const dialect = new PgDialect()

export function toStatement(query: SQL | Statement): Statement {
  if (!(query instanceof SQL)) return query
  const { sql: text, params } = dialect.sqlToQuery(query)
  return { text, values: params }
}

/**
 * Called where a module begins: `prepared<{ sid: string }>(({ sid }) => sql`… ${sid} …`)` gives a function from parameters
 * to a statement. What stands in the template beside them is the same in every run.
 */
export function prepared<parameters extends Record<keyof parameters, Parameter>>(write: (names: Record<keyof parameters, Placeholder>) => SQL): (given: parameters) => Statement {
  const names = new Proxy({}, { get: (_, name) => sql.placeholder(String(name)) })
  const { text, values } = toStatement(write(names as Record<keyof parameters, Placeholder>))
  const slots = values.map((value) => (value instanceof Placeholder ? { name: value.name as keyof parameters } : { value }))
  return (given) => ({ text, values: slots.map((slot) => ('name' in slot ? given[slot.name] : slot.value)) })
}
