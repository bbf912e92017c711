/** What went wrong with a statement, without its parameters: the driver's own errors carry them. */
export type DatabaseErrorCode = 'unreachable' | 'deadline' | 'constraint' | 'failed'

export class DatabaseError extends Error {
  readonly code: DatabaseErrorCode
  readonly sqlState: string | undefined
  readonly constraint: string | undefined

  constructor(code: DatabaseErrorCode, message: string, facts: { sqlState?: string | undefined; constraint?: string | undefined } = {}) {
    super(`database: ${message}`)
    this.name = 'DatabaseError'
    this.code = code
    this.sqlState = facts.sqlState
    this.constraint = facts.constraint
  }
}

/** Connection trouble, the server going away (57P0x), or a server that refuses connections (53300, 08xxx). */
const AWAY = /^(CONNECT|CONNECTION_|ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_|57P0|08|53300|25006)/

/** Any failure of the driver or of drizzle, as a DatabaseError whose text is safe to log. */
export function toDatabaseError(error: unknown): DatabaseError {
  if (error instanceof DatabaseError) return error
  const source = (error instanceof Error && error.cause instanceof Error ? error.cause : error) as {
    code?: unknown
    constraint_name?: unknown
    routine?: unknown
  }
  const code = typeof source?.code === 'string' ? source.code : ''
  const constraint = typeof source?.constraint_name === 'string' ? source.constraint_name : undefined
  if (AWAY.test(code)) return new DatabaseError('unreachable', `not reachable (${code})`, { sqlState: code })
  if (code.startsWith('23')) return new DatabaseError('constraint', `constraint ${constraint ?? '?'} refused the row`, { sqlState: code, constraint })
  return new DatabaseError('failed', `statement failed (${code || 'no SQLSTATE'})`, { sqlState: code || undefined })
}
