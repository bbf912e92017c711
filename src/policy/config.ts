import * as v from 'valibot'
import { described, document, list, mailDomain, mapping, oneOf, someOf, text } from '../std/fields.ts'

/** Lists that the gateway itself works with: a word in place of one would let everything through or drop the base's entries. */
const LISTS = ['availableModels', 'disabledMcpjsonServers', 'deniedMcpServers', 'blockedMarketplaces'] as const
const PERMISSION_LISTS = ['allow', 'ask', 'deny'] as const
const MAPPINGS = ['env', 'modelOverrides', 'skillOverrides', 'hooks', 'permissions'] as const

/** Keys of Claude Desktop that follow from the gateway itself. */
const COMPUTED = ['inferenceProvider', 'inferenceGatewayBaseUrl', 'inferenceCredentialKind', 'inferenceModels', 'otlpEndpoint', 'otlpProtocol', 'otlpResourceAttributes', 'otlpHeaders']

type Settings = Record<string, unknown>
type Fault = { path: string[]; message: string }

const isMapping = (value: unknown): value is Settings => typeof value === 'object' && value !== null && !Array.isArray(value)
const isListOfText = (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'string')

function* faultsOfCli(settings: Settings): Generator<Fault> {
  if (Object.hasOwn(settings, 'mcpServers')) yield { path: ['mcpServers'], message: 'cannot be delivered to Claude Code; put it into its managed-mcp.json' }
  for (const key of LISTS) if (settings[key] !== undefined && !Array.isArray(settings[key])) yield { path: [key], message: 'must be a list' }
  if (Array.isArray(settings.availableModels) && !isListOfText(settings.availableModels)) yield { path: ['availableModels'], message: 'must be a list of model ids' }
  for (const key of MAPPINGS) if (settings[key] !== undefined && !isMapping(settings[key])) yield { path: [key], message: 'must be a mapping' }
  const { permissions, hooks } = settings
  if (isMapping(permissions)) for (const key of PERMISSION_LISTS) if (permissions[key] !== undefined && !isListOfText(permissions[key])) yield { path: ['permissions', key], message: 'must be a list of text' }
  if (isMapping(hooks)) for (const [key, value] of Object.entries(hooks)) if (!Array.isArray(value)) yield { path: ['hooks', key], message: 'must be a list' }
}

function* faultsOfDesktop(settings: Settings): Generator<Fault> {
  for (const key of COMPUTED) if (Object.hasOwn(settings, key)) yield { path: [key], message: 'follows from the gateway itself and cannot be set' }
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

export const policySchema = v.pipe(
  mapping({
    match: described(match, 'Who is meant: both conditions must hold. `{}` is everybody, the base of all other policies.'),
    cli: described(v.optional(checked(faultsOfCli)), 'Managed settings of Claude Code, as in `managed-settings.json`.'),
    settings: described(v.optional(checked(faultsOfCli)), 'Another name for `cli`.'),
    code: described(v.optional(document()), 'Settings of the Code tab of Claude Desktop. Not served yet.'),
    desktop: described(v.optional(checked(faultsOfDesktop)), 'Settings of Claude Desktop. Not served yet.'),
  }),
  v.forward(v.partialCheck([['cli'], ['settings']], ({ cli, settings }) => cli === undefined || settings === undefined, 'is another name for cli; give one of them'), ['settings']),
  v.transform(({ settings, cli, ...policy }) => ({ ...policy, cli: cli ?? settings })),
)

export const managedSchema = mapping({
  policies: described(v.optional(list(policySchema), []), 'First match wins, merged onto the policy whose `match` is empty.'),
  default: described(v.optional(oneOf(['allow', 'deny']), 'allow'), 'What a person without a policy may use: every model, or none.'),
})

export type ManagedConfig = v.InferOutput<typeof managedSchema>
