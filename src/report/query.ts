// What is asked of the ledger and what it answers. Types only.
import type { Dimension, Filters } from './dimensions.ts'
import type { Span, Width } from './moment.ts'

export interface LedgerQuery {
  readonly span: Span
  /** `all`: the whole span is one bucket. */
  readonly width: Width | 'all'
  readonly by: readonly Dimension[]
  readonly filters: Filters
  /** A person's spend is counted for the first of their groups that begins so; without it, for each of their groups. */
  readonly groupTag: string | undefined
  /** Costs by kind of token. Reads single requests. */
  readonly described?: boolean
}

/** Where in the order of a query a row is. */
export interface Place {
  /** Milliseconds since the epoch. */
  readonly bucket: number
  readonly key: readonly string[]
}

/** Sums of one bucket for one combination of what it is broken out by; null in `of` where it is not broken out by that. */
export interface LedgerRow {
  readonly place: Place
  readonly of: Readonly<Record<Dimension, string | null>> & { readonly email: string | null; readonly name: string | null; readonly forgotten: boolean }
  readonly sums: Sums
}

export interface Sums {
  readonly requests: bigint
  readonly failedRequests: bigint
  readonly inputTokens: bigint
  readonly outputTokens: bigint
  readonly cacheReadTokens: bigint
  readonly cacheWrite5mTokens: bigint
  readonly cacheWrite1hTokens: bigint
  readonly webSearches: bigint
  /** Nano-dollars. */
  readonly cost: bigint
  /** Nano-dollars: the part of the cost whose counts are estimates. */
  readonly estimatedCost: bigint
}

export type CostType = 'tokens' | 'web_search'

/** A cost by what it was paid for. */
export interface CostLine {
  readonly place: Place
  readonly of: LedgerRow['of']
  readonly costType: CostType
  /** As Anthropic's cost report names it; null for what is not tokens. */
  readonly tokenType: string | null
  /** Nano-dollars. */
  readonly cost: bigint
}

/** What one person did on one day by one client. */
export interface PersonDay {
  readonly issuer: string
  readonly sub: string
  readonly email: string | null
  readonly client: string
  readonly sessions: number
  readonly models: readonly { readonly model: string; readonly input: string; readonly output: string; readonly cacheRead: string; readonly cacheCreation: string; readonly cost: string }[]
}

/** The single requests are read where the hours do not say. */
export function readsRequests({ width, by, filters, described }: Pick<LedgerQuery, 'width' | 'by' | 'filters' | 'described'>): boolean {
  return width === '1m' || described === true || by.includes('session') || (filters.session ?? []).length > 0
}
