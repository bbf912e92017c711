// `gatehouse policy explain`: which policy is somebody's and why the others are not, what their machine is told, which
// models they may use and where each goes.
import type { Outcome } from '../config/commands.ts'
import type { Environment } from '../config/expand.ts'
import { loadConfig } from '../config/load.ts'
import type { GatewayConfig } from '../config/schema.ts'
import { createModelTable } from '../models/resolve.ts'
import { usableModels } from '../models/usable-models.ts'
import { desktopSettings } from '../policy/desktop.ts'
import { isCatchAll, mismatch, type Match, type Person } from '../policy/match.ts'
import type { Settings } from '../policy/merge.ts'
import { policyFrom } from '../policy/policy-from.ts'
import { modelEntry, modelLines, type ModelEntry } from './models.ts'
import { paintFor, type Paint } from '../std/paint.ts'

export interface PolicyQuery {
  readonly config: string
  readonly email: string | undefined
  readonly groups: readonly string[]
  readonly json: boolean
  readonly environment: Environment
  readonly color: boolean
}

/** What `--json` prints, and what the admin API answers about a person. */
export interface PolicyReport {
  readonly person: { readonly email: string | null; readonly groups: readonly string[] }
  readonly policies: readonly Judged[]
  /** Position in `managed.policies`; null when none matches. */
  readonly policy: number | null
  /** What `GET /managed/settings` answers; null for 404. */
  readonly cli: { readonly checksum: string; readonly settings: Settings } | null
  /** What the policy decides of `GET /user/bootstrap`, the configuration of Claude Desktop; null for 404. */
  readonly desktop: Settings | null
  /** What the Code tab of Claude Desktop does with the settings of `cli`; null without either. */
  readonly code_tab: 'withheld' | 'offered' | 'required' | null
  /** Those of the models that the person may use. */
  readonly models: readonly ModelEntry[]
}

export interface Judged {
  readonly index: number
  readonly match: Match
  /** `base`: the catch-all that the matching policy is merged onto. `not_reached`: an earlier one matched. */
  readonly outcome: 'matches' | 'base' | 'does_not_match' | 'not_reached'
  /** Why it does not match. */
  readonly reason?: string
}

/** Reads the configuration and answers the query. Throws BootError with every problem of the file. */
export async function explainPolicy({ config: file, email, groups, json, environment, color }: PolicyQuery): Promise<Outcome> {
  const { config } = await loadConfig(file, environment)
  const report = policyReport(config, { email, groups })
  return { text: json ? `${JSON.stringify(report, null, 2)}\n` : policyText(report, color), exitCode: 0 }
}

export function policyReport(config: GatewayConfig, person: Person): PolicyReport {
  const policies = config.managed?.policies ?? []
  const base = policies.findIndex(({ match }) => isCatchAll(match))
  const own = policyFrom(config).forPerson(person)
  const served = createModelTable({ autoInclude: config.auto_include_builtin_models, models: config.models, upstreams: config.upstreams })
  const desktop = desktopSettings(own, served)
  return {
    person: { email: person.email ?? null, groups: person.groups },
    policies: policies.map(({ match }, index) => judge(match, index, person, own.index, base)),
    policy: own.index ?? null,
    cli: own.document === undefined ? null : { checksum: own.document.checksum, settings: own.document.settings },
    desktop: desktop ?? null,
    code_tab: desktop === undefined || own.document === undefined ? null : own.codeTab,
    models: usableModels(served, own.judgeModel).map((model) => ({ ...modelEntry(model, config.upstreams), allowed: true })),
  }
}

function judge(match: Match, index: number, person: Person, matched: number | undefined, base: number): Judged {
  if (index === matched) return { index, match, outcome: 'matches' }
  if (index === base && matched !== undefined) return { index, match, outcome: 'base' }
  const reason = mismatch(match, person)
  return reason === undefined ? { index, match, outcome: 'not_reached' } : { index, match, outcome: 'does_not_match', reason }
}

export function policyText(report: PolicyReport, color: boolean): string {
  const paint = paintFor(color)
  const { person, policies, cli, desktop, code_tab, models } = report
  const who = `${person.email ?? 'Somebody without an e-mail address'}, ${person.groups.length === 0 ? 'in no group' : `in ${person.groups.join(', ')}`}`
  const width = Math.max(0, ...policies.map(({ match }) => Bun.stringWidth(matcherText(match))))
  const judged = policies.map((one) => policyLine(one, width, paint))
  return [
    paint.bold(who),
    '',
    paint.bold('managed.policies'),
    ...(judged.length === 0 ? ['  none'] : judged),
    '',
    paint.bold('Settings that Claude Code gets'),
    ...(cli === null ? ['  none: GET /managed/settings answers 404'] : [`  ${paint.dim(cli.checksum)}`, indented(JSON.stringify(cli.settings, null, 2))]),
    '',
    paint.bold('Settings that Claude Desktop gets'),
    ...(desktop === null ? ['  none: GET /user/bootstrap answers 404'] : [indented(JSON.stringify(desktop, null, 2))]),
    ...(code_tab === null ? [] : [`  ${paint.dim(CODE_TAB[code_tab])}`]),
    '',
    paint.bold('Models'),
    ...(models.length === 0 ? ['none'] : modelLines(models, false, color)).map((line) => `  ${line}`),
    '',
  ].join('\n')
}

const CODE_TAB: Readonly<Record<NonNullable<PolicyReport['code_tab']>, string>> = {
  withheld: 'Its Code tab gets none of the settings of Claude Code.',
  offered: 'Its Code tab may run without the settings of Claude Code: write them under `code` to require them.',
  required: 'Its Code tab starts only on machines that take the settings of Claude Code from this gateway.',
}

const WORDS: Readonly<Record<Judged['outcome'], string>> = {
  matches: 'matches',
  base: 'the base: what the matching policy does not say',
  does_not_match: 'no',
  not_reached: 'would match, but an earlier one does',
}

function policyLine({ index, match, outcome, reason }: Judged, width: number, paint: Paint): string {
  const text = `  ${String(index).padStart(2)}  ${matcherText(match).padEnd(width)}  ${WORDS[outcome]}${reason === undefined ? '' : `: ${reason}`}`
  return outcome === 'matches' ? paint.bold(text) : outcome === 'base' ? text : paint.dim(text)
}

function matcherText({ groups, email_domain }: Match): string {
  const parts = [...(groups === undefined ? [] : [`groups ${groups.join(', ')}`]), ...(email_domain === undefined ? [] : [`@${email_domain}`])]
  return parts.length === 0 ? 'everybody' : parts.join(' and ')
}

function indented(text: string): string {
  return text.split('\n').map((line) => `  ${line}`).join('\n')
}
