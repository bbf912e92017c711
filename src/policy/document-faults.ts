/** A document of a policy as it is written. */
export type Settings = Readonly<Record<string, unknown>>

/** Something wrong in it, and where. */
export interface Fault {
  readonly path: readonly (string | number)[]
  readonly message: string
}

export const isListOf = (value: unknown, isItem: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(isItem)
