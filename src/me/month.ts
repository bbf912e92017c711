// This month of a person, summed up by day and by model. Pure.
import type { DayOfModel } from './store.ts'

type Sums = Omit<DayOfModel, 'day' | 'model'>

export interface OwnMonth {
  readonly byDay: readonly (Sums & { readonly day: string })[]
  /** The dearest first. */
  readonly byModel: readonly (Sums & { readonly model: string })[]
}

/** The first moment of the month, UTC. */
export function monthStart(now: Date): Date {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1))
}

export function monthOf(rows: readonly DayOfModel[]): OwnMonth {
  const byDay = [...Map.groupBy(rows, ({ day }) => day)].map(([day, of]) => ({ day, ...sum(of) }))
  const byModel = [...Map.groupBy(rows, ({ model }) => model)].map(([model, of]) => ({ model, ...sum(of) }))
  return { byDay, byModel: byModel.toSorted((a, b) => (a.cost === b.cost ? a.model.localeCompare(b.model, 'en') : a.cost > b.cost ? -1 : 1)) }
}

function sum(rows: readonly DayOfModel[]): Sums {
  const of = (pick: (row: DayOfModel) => bigint) => rows.reduce((total, row) => total + pick(row), 0n)
  return {
    requests: of(({ requests }) => requests),
    inputTokens: of(({ inputTokens }) => inputTokens),
    outputTokens: of(({ outputTokens }) => outputTokens),
    cacheReadTokens: of(({ cacheReadTokens }) => cacheReadTokens),
    cacheWriteTokens: of(({ cacheWriteTokens }) => cacheWriteTokens),
    cost: of(({ cost }) => cost),
  }
}
