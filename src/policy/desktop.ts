// What Claude Desktop is told of a policy: the keys of its `desktop` block, and those that follow from the settings of
// Claude Code so that a rule is written once. Pure.
import type { ModelTable } from '../models/resolve.ts'
import { usableModels } from '../models/usable-models.ts'
import type { Json, Settings } from './merge.ts'
import type { PersonPolicy } from './policy.ts'

export interface GatewayFacts {
  readonly publicUrl: string
  /** Of this person, as `desktopTelemetry` makes it. */
  readonly telemetry: Settings
  /** Unix seconds at which Claude Desktop asks again. */
  readonly expiresAt: number
}

/** The answer of `GET /user/bootstrap`: how Claude Desktop reaches this gateway, and what the person's policy gives it. */
export function desktopBootstrap(settings: Settings, { publicUrl, telemetry, expiresAt }: GatewayFacts): Settings {
  return { inferenceProvider: 'gateway', inferenceGatewayBaseUrl: publicUrl, inferenceCredentialKind: 'interactive', ...telemetry, ...settings, expiresAt }
}

/** As much of the answer as follows from the policy; undefined when the policy does not opt in by a `desktop` block. */
export function desktopSettings({ desktop, document, codeTab, judgeModel }: PersonPolicy, models: ModelTable): Settings | undefined {
  if (desktop === undefined) return undefined
  const settings = document?.settings ?? {}
  const hasLongContext = !isTruthy(at(settings, 'env', 'CLAUDE_CODE_DISABLE_1M_CONTEXT'))
  const inferenceModels = usableModels(models, judgeModel).map(({ id, displayName, takesLongContext }) => ({
    name: id,
    ...(displayName === id ? {} : { labelOverride: displayName }),
    ...(takesLongContext && hasLongContext ? { supports1m: true } : {}),
  }))
  return {
    ...(codeTab === 'required' ? { inferenceGatewayManagedClaudeCode: true } : {}),
    ...present('inferenceModels', inferenceModels),
    ...present('coworkEgressAllowedHosts', texts(at(settings, 'sandbox', 'network', 'allowedDomains'))),
    ...desktop,
    ...present('disabledBuiltinTools', [...new Set([...deniedTools(settings), ...texts(desktop.disabledBuiltinTools)])]),
  }
}

/** Tools that are denied as a whole: a rule with a pattern denies some of their uses, and those of MCP servers are not built in. */
function deniedTools(settings: Settings): readonly string[] {
  return texts(at(settings, 'permissions', 'deny')).filter((rule) => !rule.includes('(') && !rule.startsWith('mcp__'))
}

/** An empty list would be a rule of its own, and is left out. */
function present(key: string, list: readonly Json[]): Settings {
  return list.length === 0 ? {} : { [key]: list }
}

function at(settings: Settings, ...path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Settings)[key] : undefined), settings)
}

function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** As Claude Code reads a switch of its environment. */
function isTruthy(value: Json | undefined): boolean {
  return ['1', 'true', 'yes', 'on'].includes(String(value ?? '').trim().toLowerCase())
}

/** `claude-cli/2.1.330 (external, claude-desktop)`: Claude Code as the Code tab of Claude Desktop runs it. */
export function isDesktopSession(userAgent: string | null): boolean {
  const [, about = ''] = /^claude-(?:cli|code)\/\S+ \(([^)]*)\)/.exec(userAgent ?? '') ?? []
  return about.split(',').some((part) => part.trim().startsWith('claude-desktop'))
}
