// Facts of a model that follow from its place in the line of models.

export interface Generation {
  /** `opus`, `sonnet`, `haiku`, … */
  readonly family: string
  /** 407 for 4.7: major × 100 + minor. */
  readonly number: number
}

/** Of a catalogue id such as `claude-opus-4-7` or `claude-3-5-haiku`; undefined for every other name. */
export function generationOf(catalogId: string): Generation | undefined {
  const [, oldMajor, oldMinor, oldFamily] = /^claude-(\d)(?:-(\d))?-([a-z]+)$/.exec(catalogId) ?? []
  const [, family = oldFamily, major = oldMajor, minor = oldMinor] = /^claude-([a-z]+)-(\d+)(?:-(\d{1,2}))?$/.exec(catalogId) ?? []
  return family === undefined || major === undefined ? undefined : { family, number: Number(major) * 100 + Number(minor ?? 0) }
}
