// What is wrong with a configuration, where, in words for the operator.

/** A key's position inside the document. */
export type Path = readonly (string | number)[]

export interface Problem {
  readonly path: Path
  readonly message: string
  /** The key itself is the trouble, not its value. */
  readonly atKey?: boolean
  /** Where in the text, when the path does not tell. */
  readonly offset?: number
}

/** `upstreams[0].auth.api_key` */
export function pathText(path: Path): string {
  return path.map((step, at) => (typeof step === 'number' ? `[${step}]` : at === 0 ? step : `.${step}`)).join('')
}
