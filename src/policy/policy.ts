// What each person may use and what their client is told, worked out once at boot: a request only looks it up.
import type { Principal } from '../principal.ts'
import type { ManagedConfig, PolicyConfig } from './config.ts'
import { matchPolicy, withBase, type Person } from './match.ts'
import { mergeDesktop, mergeSettings, type Settings } from './merge.ts'
import { withPricing } from './client-pricing.ts'
import { withEnvironment } from './client-telemetry.ts'
import { settingsChecksum } from './checksum.ts'
import { createModelRule, type ModelNames, type ModelVerdict } from '../models/model-rule.ts'

export interface PersonPolicy {
  /** Position in `managed.policies`; undefined when none matched. */
  readonly index: number | undefined
  readonly document: ManagedDocument | undefined
  /** How the document concerns the Code tab of Claude Desktop: not at all, offered to it, or required of it. */
  readonly codeTab: 'withheld' | 'offered' | 'required'
  /** What Claude Desktop itself is told; undefined when it is not opted in. */
  readonly desktop: Settings | undefined
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

/** What clients are told besides their policy, where the policy says nothing of it. */
export interface Pushed {
  readonly pricing?: Settings | undefined
  readonly environment?: Settings | undefined
}

export function createPolicy(config: ManagedConfig | undefined, names: ModelNames, pushed: Pushed = {}): Policy {
  const policies = config?.policies ?? []
  const compiled = withBase(policies).map(({ policy, base }, index) => compile(index, policy, base, { names, pushed }))
  const unmatched: PersonPolicy = {
    index: undefined,
    // Without policies telemetry is for everybody; among policies nobody's person is told nothing.
    document: config === undefined && pushed.environment !== undefined ? toDocument(withEnvironment({}, pushed.environment)) : undefined,
    codeTab: 'offered',
    desktop: undefined,
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

function compile(index: number, own: PolicyConfig, base: PolicyConfig | undefined, { names, pushed }: { names: ModelNames; pushed: Pushed }): PersonPolicy {
  const settings = mergeOnto(base && settingsIn(base), settingsIn(own), mergeSettings) ?? {}
  return {
    index,
    document: toDocument(withEnvironment(withPricing(settings, pushed.pricing), pushed.environment)),
    codeTab: codeTabOf(settings, own, base),
    desktop: mergeOnto(base?.desktop, own.desktop, mergeDesktop),
    judgeModel: createModelRule(settings, names),
  }
}

/** The settings of Claude Code in a policy, under either of their names. */
export function settingsIn({ cli, code }: PolicyConfig): Settings | undefined {
  return (cli ?? code) as Settings | undefined
}

/** Nothing can be required of a client by a document that says nothing. */
function codeTabOf(settings: Settings, own: PolicyConfig, base: PolicyConfig | undefined): PersonPolicy['codeTab'] {
  if ((own.code ?? base?.code) !== undefined && Object.keys(settings).length > 0) return 'required'
  return (own.serve_to_desktop ?? base?.serve_to_desktop ?? true) ? 'offered' : 'withheld'
}

function mergeOnto(base: unknown, own: unknown, merge: (base: Settings, own: Settings) => Settings): Settings | undefined {
  if (base === undefined || own === undefined) return (own ?? base) as Settings | undefined
  return merge(base as Settings, own as Settings)
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
