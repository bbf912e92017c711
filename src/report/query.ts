// What is asked of the ledger and what it answers. Types only.
import type { Dimension, Filters } from './dimensions.ts'
import type { Span, Width } from './moment.ts'

/** Columns that are summed up. Nano-dollars, tokens, numbers of. */
export type Sum = 'requests' | 'failed_requests' | 'input_tokens' | 'output_tokens' | 'cache_read_tokens' | 'cache_write_5m_tokens' | 'cache_write_1h_tokens' | 'web_searches' | 'cost'

export interface LedgerQuery<sum extends Sum = Sum> {
  readonly span: Span
  /** `all`: the whole span is one bucket. */
  readonly width: Width | 'all'
  readonly by: readonly Dimension[]
  readonly filters: Filters
  /** A person's spend is counted for the first of their groups that begins so; without it, for each of their groups. */
  readonly groupTag: string | undefined
  /** Each takes its time in a large ledger. */
  readonly sums: readonly sum[]
  /** Costs by kind of token. Reads single requests. */
  readonly described?: boolean
}

/** Where in the order of a query a row is. */
export interface Place {
  /** Milliseconds since the epoch. */
  readonly bucket: number
  readonly key: readonly string[]
}

/** A combination of what a row is broken out by; null where it is not broken out by that. `forgotten`: a person has no name any more. */
export type Of = Readonly<Record<Dimension, string | null>> & { readonly email: string | null; readonly name: string | null; readonly forgotten: boolean }

/** Sums of one bucket for one combination. */
export interface LedgerRow<sum extends Sum = Sum> {
  readonly place: Place
  readonly of: Of
  readonly sums: Readonly<Record<sum, bigint>>
}

export type CostType = 'tokens' | 'web_search'

/** A cost by what it was paid for. */
export interface CostLine {
  readonly place: Place
  readonly of: Of
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
