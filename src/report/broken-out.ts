// What a report is broken out by and filtered by, read from its parameters, and written into its rows. Pure.
import type { Cell } from './csv.ts'
import { ABSENT, COLUMNS, DIMENSIONS, FILTERS, type Dimension, type Filters } from './dimensions.ts'
import type { Parameters } from './parameters.ts'
import type { Of } from './query.ts'

/** The dimensions of `group_by[]`; what a gateway has none of is accepted and adds nothing. `others` belong to the report. */
export function readDimensions(parameters: Parameters, others: readonly string[] = []): readonly Dimension[] {
  const asked = parameters.choices<string>('group_by[]', [...DIMENSIONS, ...ABSENT, ...others])
  return DIMENSIONS.filter((dimension) => asked.includes(dimension))
}

/** `canonicalModel` finds the name that the ledger has for any spelling of a model. */
export function readFilters(parameters: Parameters, canonicalModel: (spelling: string) => string): Filters {
  const filters = Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, parameters.many(FILTERS[dimension])])) as Required<Filters>
  return { ...filters, model: filters.model.map(canonicalModel) }
}

/** The fields of every dimension; null for those that it is not broken out by. */
export function dimensionFields(of: Of): Record<string, string | null> {
  return Object.fromEntries(DIMENSIONS.flatMap((dimension) => COLUMNS[dimension].map((column) => [column, fieldOf(of, dimension, column)])))
}

export function dimensionColumns(by: readonly Dimension[]): string[] {
  return by.flatMap((dimension) => COLUMNS[dimension])
}

/** In the order of `dimensionColumns`. */
export function dimensionCells(of: Of, by: readonly Dimension[]): Cell[] {
  return by.flatMap((dimension) => COLUMNS[dimension].map((column) => fieldOf(of, dimension, column)))
}

function fieldOf(of: Of, dimension: Dimension, column: string): string | null {
  return column === 'email' ? of.email : of[dimension]
}
