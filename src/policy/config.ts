import * as v from 'valibot'
import { described, document, list, someOf, text } from '../std/fields.ts'

/** A matcher that is blank would be everybody's: it stops the boot instead. */
const emailDomain = v.pipe(
  v.string('must be a domain'),
  v.transform((value) => value.replace(/^@/, '')),
  v.check((value) => value !== '' && !/[@\s,]/.test(value), 'must be a domain such as example.com: no @, white space or comma'),
)

const cli = v.pipe(document(), v.check((settings) => !Object.hasOwn(settings, 'mcpServers'), 'mcpServers cannot be delivered to Claude Code; put them into its managed-mcp.json'))

/** Keys of Claude Desktop that follow from the gateway itself. */
const COMPUTED = ['inferenceProvider', 'inferenceGatewayBaseUrl', 'inferenceCredentialKind', 'inferenceModels', 'otlpEndpoint', 'otlpProtocol', 'otlpResourceAttributes', 'otlpHeaders']

const desktop = v.pipe(document(), v.check((settings) => !COMPUTED.some((key) => Object.hasOwn(settings, key)), `cannot set what the gateway computes: ${COMPUTED.join(', ')}`))

export const policySchema = v.pipe(
  v.strictObject({
    match: v.strictObject({ groups: v.optional(someOf(text())), email_domain: v.optional(emailDomain) }),
    cli: v.optional(cli),
    settings: v.optional(cli),
    code: v.optional(document()),
    desktop: v.optional(desktop),
  }),
  v.forward(v.check(({ cli, settings }) => cli === undefined || settings === undefined, 'is another name for cli; give one of them'), ['settings']),
  v.transform(({ settings, cli, ...policy }) => ({ ...policy, cli: cli ?? settings })),
)

export const managedSchema = v.strictObject({
  policies: described(v.optional(list(policySchema), []), 'First match wins, merged onto the policy whose match is empty.'),
  default: described(v.optional(v.picklist(['allow', 'deny'], 'must be allow or deny'), 'allow'), 'What a person without a policy may use: every model, or none.'),
})

export type ManagedConfig = v.InferOutput<typeof managedSchema>
