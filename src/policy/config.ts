import * as v from 'valibot'
import { boolean, described, document, list, mailDomain, mapping, oneOf, someOf, text } from '../std/fields.ts'

/** Lists that the gateway itself works with: a word in place of one would let everything through or drop the base's entries. */
const LISTS = ['availableModels', 'disabledMcpjsonServers', 'deniedMcpServers', 'blockedMarketplaces'] as const
const PERMISSION_LISTS = ['allow', 'ask', 'deny'] as const
const MAPPINGS = ['env', 'modelOverrides', 'skillOverrides', 'hooks', 'permissions'] as const

/** Keys of Claude Desktop that follow from the gateway itself: how it reaches models and where its telemetry goes. */
const COMPUTED = /^(?:inference|otlp)[A-Z]|^expiresAt$/
const OF_THE_OPERATOR = new Set(
  ['inferenceMaxTokensPerWindow', 'inferenceTokenWindowHours', 'inferenceModelPricing', 'inferenceModelPricingEnabled', 'inferenceModelPricingMultiplier', 'otlpDesktopLogLevel', 'otlpContentCapture', 'otlpTracesEnabled'],
)
/** Keys that Claude Desktop takes from its device alone. */
const OF_THE_DEVICE = /^(?:bootstrap.*|trustBootstrapDelivery|egressProxy(?:Pac)?Url|secureVmFeaturesEnabled|quickWriteEnabled|disableMultiAccount|importThirdPartyHistoryIntoOrgUUID|isDesktopExtensionDirectoryEnabled|relocateUncUserData|coworkEDRIntegration(?:Vendor)?)$/
const DESKTOP_LISTS = ['disabledBuiltinTools', 'coworkEgressAllowedHosts'] as const

type Settings = Record<string, unknown>
type Fault = { path: string[]; message: string }

const isMapping = (value: unknown): value is Settings => typeof value === 'object' && value !== null && !Array.isArray(value)
const isListOfText = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string')

function* faultsOfCli(settings: Settings): Generator<Fault> {
  if (Object.hasOwn(settings, 'mcpServers')) yield { path: ['mcpServers'], message: 'cannot be delivered to Claude Code; managedMcpServers can, with servers of http and sse alone' }
  for (const key of LISTS) if (settings[key] !== undefined && !Array.isArray(settings[key])) yield { path: [key], message: 'must be a list' }
  if (Array.isArray(settings.availableModels) && !isListOfText(settings.availableModels)) yield { path: ['availableModels'], message: 'must be a list of model ids' }
  for (const key of MAPPINGS) if (settings[key] !== undefined && !isMapping(settings[key])) yield { path: [key], message: 'must be a mapping' }
  const { permissions, hooks } = settings
  if (isMapping(permissions)) for (const key of PERMISSION_LISTS) if (permissions[key] !== undefined && !isListOfText(permissions[key])) yield { path: ['permissions', key], message: 'must be a list of text' }
  if (isMapping(hooks)) for (const [key, value] of Object.entries(hooks)) if (!Array.isArray(value)) yield { path: ['hooks', key], message: 'must be a list' }
}

function* faultsOfDesktop(settings: Settings): Generator<Fault> {
  for (const [key, value] of Object.entries(settings)) {
    if (COMPUTED.test(key) && !OF_THE_OPERATOR.has(key)) yield { path: [key], message: 'follows from the gateway itself and cannot be set' }
    else if (OF_THE_DEVICE.test(key)) yield { path: [key], message: 'is taken from the device alone; set it in its managed configuration (MDM)' }
    else if (/^selfHosted/i.test(key)) yield { path: [key], message: 'would take Claude Desktop away from this gateway and its rules' }
    else if (value === null || value === '') yield { path: [key], message: 'must not be empty; leave the key out for the default of Claude Desktop' }
  }
  for (const key of DESKTOP_LISTS) if (settings[key] !== undefined && !isListOfText(settings[key])) yield { path: [key], message: 'must be a list of text' }
  const { builtinToolPolicy } = settings
  if (builtinToolPolicy !== undefined && !isMapping(builtinToolPolicy)) yield { path: ['builtinToolPolicy'], message: 'must be a mapping' }
}

/** A document of any shape whose known parts have the shape the gateway works with. */
const checked = (faultsOf: (settings: Settings) => Generator<Fault>) =>
  v.pipe(
    document(),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!isMapping(dataset.value)) return
      for (const { path, message } of faultsOf(dataset.value)) addIssue({ message, path: steps(dataset.value, path) })
    }),
  )

function steps(input: Settings, path: string[]): [v.IssuePathItem, ...v.IssuePathItem[]] {
  let at: unknown = input
  return path.map((key) => {
    const item = { type: 'object', origin: 'value', input: at as Settings, key, value: (at as Settings)[key] } as const
    at = item.value
    return item
  }) as never
}

const match = mapping({
  groups: described(v.optional(someOf(text(), 'must name at least one group')), 'Members of any of these groups; exact and case-sensitive.'),
  email_domain: described(v.optional(mailDomain()), 'People of this mail domain; in any case.'),
})

const NAMES_OF_SETTINGS = ['cli', 'settings', 'code'] as const

export const policySchema = v.pipe(
  mapping({
    match: described(match, 'Who is meant: both conditions must hold. `{}` is everybody, the base of all other policies.'),
    cli: described(v.optional(checked(faultsOfCli)), 'Managed settings of Claude Code, as in `managed-settings.json`.'),
    settings: described(v.optional(checked(faultsOfCli)), 'Another name for `cli`.'),
    code: described(v.optional(checked(faultsOfCli)), 'As `cli`, in its place, and for the Code tab of Claude Desktop too, which does not start on a machine that does not take them.'),
    serve_to_desktop: described(v.optional(boolean()), '`false`: the Code tab of Claude Desktop gets no settings. As in the base unless given; else `true`.'),
    desktop: described(v.optional(checked(faultsOfDesktop)), 'Settings of Claude Desktop, which may then use the gateway (`GET /user/bootstrap`). An empty mapping will do.'),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const [first, ...others] = NAMES_OF_SETTINGS.filter((name) => dataset.value[name] !== undefined)
    for (const name of others) addIssue({ message: `is another name for ${first}; give one of them`, path: steps(dataset.value, [name]) })
    if (dataset.value.code !== undefined && dataset.value.serve_to_desktop === false) addIssue({ message: 'contradicts code, whose settings the Code tab of Claude Desktop must take', path: steps(dataset.value, ['serve_to_desktop']) })
  }),
  v.transform(({ settings, cli, ...policy }) => ({ ...policy, cli: cli ?? settings })),
)

export const managedSchema = mapping({
  policies: described(v.optional(list(policySchema), []), 'First match wins, merged onto the policy whose `match` is empty.'),
  default: described(v.optional(oneOf(['allow', 'deny']), 'allow'), 'What a person without a policy may use: every model, or none.'),
})

export type PolicyConfig = v.InferOutput<typeof policySchema>
export type ManagedConfig = v.InferOutput<typeof managedSchema>
