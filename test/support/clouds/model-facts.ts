// Which fields and versions a model's generation knows, by its first-party id. Sources disagree for some: each cloud takes overrides.

/** `claude-opus-4-8` is 4.8; a date is no minor version. */
export function generationOf(model: string): number {
  const [, major = '0', minor = '0'] = /^claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?![\d])/.exec(model) ?? []
  return Number(major) + Number(minor) / 10
}

export interface ModelFacts {
  /** `anthropic_version: 2026-10-21` on Bedrock. */
  newVersion: boolean
  cacheTtl: boolean
  effort: boolean
  format: boolean
  adaptiveThinking: boolean
  /** `role: system` among the messages. */
  systemMessages: boolean
  /** `speed` on Google. */
  speed: boolean
}

export function factsOf(model: string): ModelFacts {
  const generation = generationOf(model)
  const family = /^claude-([a-z]+)/.exec(model)?.[1] ?? ''
  return {
    newVersion: generation >= 4.7,
    cacheTtl: generation >= 4.5,
    effort: generation >= 4.6 || (family === 'opus' && generation === 4.5),
    format: generation === 4.5 || (family === 'opus' && generation === 4.6) || generation >= 5,
    adaptiveThinking: generation >= 4.6,
    systemMessages: ['claude-fable-5', 'claude-opus-4-8'].includes(model),
    speed: ['claude-fable-5-2', 'claude-opus-5-5'].includes(model),
  }
}

/** Foundation ids of Bedrock and the prefixes of their inference profiles. */
export const BEDROCK_MODELS: Readonly<Record<string, readonly string[]>> = {
  'anthropic.claude-fable-5-2': ['global', 'us'],
  'anthropic.claude-fable-5-1': ['global', 'us'],
  'anthropic.claude-fable-5': ['global', 'us', 'eu'],
  'anthropic.claude-opus-5-5': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-opus-5': ['global', 'us', 'eu', 'au', 'jp', 'in'],
  'anthropic.claude-opus-4-8': ['global', 'us', 'eu', 'au', 'jp', 'in'],
  'anthropic.claude-opus-4-7': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-opus-4-6-v1': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-opus-4-5-20251101-v1:0': ['global', 'us', 'eu'],
  'anthropic.claude-opus-4-1-20250805-v1:0': ['us'],
  'anthropic.claude-sonnet-5-5': ['global', 'us', 'eu', 'au'],
  'anthropic.claude-sonnet-5': ['global', 'us', 'eu', 'au', 'jp', 'in'],
  'anthropic.claude-sonnet-4-6': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-sonnet-4-5-20250929-v1:0': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-sonnet-4-20250514-v1:0': ['global', 'us', 'eu', 'apac'],
  'anthropic.claude-haiku-5-5': ['global', 'us', 'eu', 'au', 'jp'],
  'anthropic.claude-haiku-4-5-20251001-v1:0': ['global', 'us', 'eu', 'au', 'jp', 'in'],
}

/** `anthropic.claude-opus-4-6-v1` is `claude-opus-4-6`. */
export const firstPartyId = (foundationId: string): string => foundationId.replace(/^anthropic\./, '').replace(/-v1(:0)?$/, '')
