// What each person may use and what their client is told, worked out once at boot: a request only looks it up.
import type { Principal } from '../principal.ts'
import type { ManagedConfig } from './config.ts'
import { isCatchAll, matchPolicy, type Person } from './match.ts'
import { mergeSettings, type Settings } from './merge.ts'
import { settingsChecksum } from './checksum.ts'
import { createModelRule, type ModelNames, type ModelVerdict } from '../models/model-rule.ts'

export interface PersonPolicy {
  /** Position in `managed.policies`; undefined when none matched. */
  readonly index: number | undefined
  readonly document: ManagedDocument | undefined
  /** Which list is in the way of this catalogue or custom model id; undefined when the person may use it. */
  judgeModel(modelId: string): ModelVerdict
}

/** The answer of `GET /managed/settings`. `{}` is a policy and is not the same as none. */
export interface ManagedDocument {
  readonly checksum: string
  readonly settings: Settings
  readonly body: string
}

export interface Policy {
  forPerson(person: Person): PersonPolicy
}

export function createPolicy(config: ManagedConfig | undefined, names: ModelNames): Policy {
  const policies = config?.policies ?? []
  const base = policies.find(({ match }) => isCatchAll(match))?.cli as Settings | undefined
  const compiled = policies.map(({ match, cli }, index) => {
    const own = cli as Settings | undefined
    return compile(index, isCatchAll(match) ? own : mergeOnto(base, own), names)
  })
  const unmatched: PersonPolicy = {
    index: undefined,
    document: undefined,
    judgeModel: () => (config?.default === 'deny' ? 'availableModels' : undefined),
  }
  return {
    forPerson(person) {
      const index = matchPolicy(policies, person)
      return (index === undefined ? undefined : compiled[index]) ?? unmatched
    },
  }
}

/** The facts of a bearer that policies match on. */
export function personOf(principal: Principal): Person {
  return { email: principal.email, groups: principal.groups }
}

function mergeOnto(base: Settings | undefined, own: Settings | undefined): Settings | undefined {
  if (base === undefined || own === undefined) return own ?? base
  return mergeSettings(base, own)
}

function compile(index: number, settings: Settings | undefined, names: ModelNames): PersonPolicy {
  return { index, document: settings && toDocument(settings), judgeModel: createModelRule(settings, names) }
}

function toDocument(settings: Settings): ManagedDocument {
  const checksum = settingsChecksum(settings)
  return { checksum, settings, body: JSON.stringify({ uuid: uuidFrom(checksum), checksum, settings }) }
}

/** RFC 9562 §5.8: a UUID made from the document, so that every replica names the same document the same. */
function uuidFrom(checksum: string): string {
  const hex = checksum.slice('sha256:'.length)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
