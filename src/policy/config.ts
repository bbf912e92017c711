import * as v from 'valibot'
import { boolean, described, document, list, mailDomain, mapping, oneOf, someOf, text } from '../std/fields.ts'
import { isJsonObject } from '../std/json-object.ts'
import { faultsOfClaudeCode } from './claude-code-settings.ts'
import { faultsOfDesktop } from './claude-desktop-settings.ts'
import type { Fault, Settings } from './document-faults.ts'

/** A document of any shape whose known parts have the shape the gateway works with. */
const checked = (faultsOf: (settings: Settings) => Generator<Fault>) =>
  v.pipe(
    document(),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!isJsonObject(dataset.value)) return
      for (const { path, message } of faultsOf(dataset.value)) addIssue({ message, path: steps(dataset.value, path) })
    }),
  )

function steps(input: Settings, path: Fault['path']): [v.IssuePathItem, ...v.IssuePathItem[]] {
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
    cli: described(v.optional(checked(faultsOfClaudeCode)), 'Managed settings of Claude Code, as in `managed-settings.json`.'),
    settings: described(v.optional(checked(faultsOfClaudeCode)), 'Another name for `cli`.'),
    code: described(v.optional(checked(faultsOfClaudeCode)), 'As `cli`, in its place, and for the Code tab of Claude Desktop too, which does not start on a machine that does not take them.'),
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

export const managedSchema = v.pipe(
  mapping({
    policies: described(v.optional(list(policySchema), []), 'First match wins, merged onto the policy whose `match` is empty.'),
    default: described(v.optional(oneOf(['allow', 'deny']), 'allow'), 'What a person without a policy may use: every model, or none.'),
  }),
  // Merged, rules under cli would be required of the Code tab in one policy and not in the next.
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || !dataset.value.policies.some(({ code }) => code !== undefined)) return
    for (const [at, { cli }] of dataset.value.policies.entries()) {
      if (cli !== undefined) addIssue({ message: 'another policy has its settings under code; write all of them there', path: steps(dataset.value as Settings, ['policies', at, 'cli']) })
    }
  }),
)

export type PolicyConfig = v.InferOutput<typeof policySchema>
export type ManagedConfig = v.InferOutput<typeof managedSchema>
