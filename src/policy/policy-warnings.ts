// What an operator should hear of policies that stop nothing and may still not do what was meant. Pure.
import { DEFAULT_MODEL } from '../models/default-model.ts'
import { createModelRule } from '../models/model-rule.ts'
import { modelNames } from '../models/names.ts'
import { createModelTable } from '../models/resolve.ts'
import { isJsonObject } from '../std/json-object.ts'
import { nearest } from '../std/nearest.ts'
import { CLAUDE_CODE_KEYS } from './claude-code-settings.ts'
import { CLAUDE_DESKTOP_KEYS } from './claude-desktop-settings.ts'
import type { PolicyConfig } from './config.ts'
import { isCatchAll, withBase } from './match.ts'
import { mergeSettings } from './merge.ts'
import type { PolicyOptions } from './policy-from.ts'
import { settingsIn } from './policy.ts'

/** Sentences, each with the place that it is about. */
export function policyWarnings(config: PolicyOptions): string[] {
  return [...policies(config), ...codeTab(config), ...desktopHosts(config), ...modelLists(config), ...defaultModel(config), ...clientKeys(config), ...telemetry(config)]
}

function policies({ managed }: PolicyOptions): string[] {
  if (managed === undefined) return []
  const isForAll = managed.policies.map(({ match }) => isCatchAll(match))
  const catchAll = isForAll.indexOf(true)
  if (catchAll >= 0) {
    const unreachable = managed.policies.length - catchAll - 1
    return unreachable > 0 ? [`managed.policies[${catchAll}] matches everybody: the ${unreachable === 1 ? 'policy' : `${unreachable} policies`} after it will never be used; put it last`] : []
  }
  return managed.default === 'deny' ? [] : ['managed: a person whom no policy matches may use every model and gets no settings; add a policy with match: {} or default: deny']
}

/** Where the Code tab of a Claude Desktop that this gateway configures takes no settings, or does not start. */
function codeTab({ managed, listen }: PolicyOptions): string[] {
  const places = { required: [] as string[], optional: [] as string[] }
  for (const { place, policy, base } of withDesktop(managed?.policies ?? [])) {
    if (Object.keys({ ...(base && settingsIn(base)), ...settingsIn(policy) }).length === 0) continue
    places[(policy.code ?? base?.code) === undefined ? 'optional' : 'required'].push(place)
  }
  const machine = JSON.stringify({ forceLoginGatewayUrl: listen.public_url, parentSettingsBehavior: 'merge' })
  return [
    ...(places.required.length === 0 ? [] : [`${places.required.join(', ')}: the Code tab of Claude Desktop starts only where the machine's own managed settings of Claude Code hold ${machine}`]),
    ...(places.optional.length === 0 ? [] : [`${places.optional.join(', ')}: the Code tab of Claude Desktop may run without the settings under cli; write them under code to require them`]),
  ]
}

/** An empty list of hosts is a rule to the sandbox of Claude Code and none to Claude Desktop. */
function desktopHosts({ managed }: PolicyOptions): string[] {
  return withDesktop(managed?.policies ?? []).flatMap(({ place, policy, base }) => {
    const sandbox = (settingsIn(policy)?.sandbox ?? (base && settingsIn(base))?.sandbox) as { network?: { allowedDomains?: readonly string[] } } | undefined
    return sandbox?.network?.allowedDomains?.length === 0 ? [`${place}: sandbox.network.allowedDomains is empty, which Claude Desktop gets no rule from; set coworkEgressAllowedHosts under desktop`] : []
  })
}

/** The policies by which people have Claude Desktop, each with the base that it is merged onto. */
function withDesktop(policies: readonly PolicyConfig[]): { place: string; policy: PolicyConfig; base: PolicyConfig | undefined }[] {
  return withBase(policies).flatMap(({ policy, base }, at) => ((policy.desktop ?? base?.desktop) === undefined ? [] : [{ place: `managed.policies[${at}]`, policy, base }]))
}

/** Names that let nothing through: to the client some of them are words for a model of its choice. */
function modelLists({ managed, models, upstreams, auto_include_builtin_models: autoInclude }: PolicyOptions): string[] {
  const served = createModelTable({ autoInclude, models, upstreams }).list().map(({ id }) => id)
  const names = modelNames(models)
  return (managed?.policies ?? []).flatMap((policy, at) => {
    const { availableModels, deniedModels } = settingsIn(policy) ?? {}
    const lists = { availableModels, deniedModels }
    return Object.entries(lists).flatMap(([key, list]) => {
      if (!Array.isArray(list)) return []
      const place = `managed.policies[${at}].${policy.code === undefined ? 'cli' : 'code'}.${key}`
      if (list.length === 0) return key === 'availableModels' ? [`${place}: is empty, so that its people can use no model`] : []
      const verdict = key === 'availableModels' ? undefined : 'deniedModels'
      const means = (name: unknown) => served.some((id) => createModelRule({ [key]: [name] }, names)(id) === verdict)
      return list.filter((name) => !means(name)).map((name) => `${place}: ${JSON.stringify(name)} is no model that is served; name ids, or families such as "opus"`)
    })
  })
}

const PICKS = ['ANTHROPIC_MODEL', 'ANTHROPIC_DEFAULT_MODEL', 'ANTHROPIC_DEFAULT_OPUS_MODEL']

/** People whose first prompt would be refused for a model that they did not choose. */
function defaultModel({ managed, models }: PolicyOptions): string[] {
  const names = modelNames(models)
  const places = withBase(managed?.policies ?? []).flatMap(({ policy, base }, at) => {
    const settings = mergeSettings((base && settingsIn(base)) ?? {}, settingsIn(policy) ?? {})
    const { model, enforceAvailableModels, availableModels, env } = settings as Readonly<Record<string, unknown>>
    const isPicked = model !== undefined || enforceAvailableModels === true || PICKS.some((name) => isJsonObject(env) && env[name] !== undefined)
    const isEmpty = Array.isArray(availableModels) && availableModels.length === 0
    return isPicked || isEmpty || createModelRule(settings, names)(DEFAULT_MODEL) === undefined ? [] : [`managed.policies[${at}]`]
  })
  return places.length === 0 ? [] : [`${places.join(', ')}: Claude Code starts with ${DEFAULT_MODEL}, which is refused there until people pick another with /model; set model, or enforceAvailableModels: true`]
}

function clientKeys({ managed }: PolicyOptions): string[] {
  return (managed?.policies ?? []).flatMap((policy, at) =>
    (['cli', 'code', 'desktop'] as const).flatMap((client) => {
      const known = client === 'desktop' ? CLAUDE_DESKTOP_KEYS : CLAUDE_CODE_KEYS
      const unknown = Object.keys(policy[client] ?? {}).filter((key) => !known.has(key))
      return unknown.map((key) => {
        const near = nearest(key, [...known])
        return `managed.policies[${at}].${client}.${key}: not a key this version knows${near === undefined ? '.' : `; did you mean ${near}?`} It is delivered as it is`
      })
    }),
  )
}

function telemetry({ telemetry, listen }: PolicyOptions): string[] {
  const isRelayed = (telemetry?.forward_to.length ?? 0) > 0
  return [
    ...(isRelayed && listen.public_url === undefined ? ['telemetry.forward_to: clients are not told to send telemetry unless listen.public_url is set'] : []),
    ...(!isRelayed && telemetry?.resource_attributes !== undefined ? ['telemetry.resource_attributes: are told to clients only where forward_to names a collector'] : []),
  ]
}
