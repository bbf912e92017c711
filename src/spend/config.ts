import * as v from 'valibot'
import { boolean, described, distinct, integer, list, mapping, oneOf, positive, secret, secretUrl, someOf, text } from '../std/fields.ts'
import { Secret } from '../std/secret.ts'

const adminKey = mapping({
  id: described(text(), 'Names the key in the audit log.'),
  key: described(secret(32), 'Sent as `x-api-key`.'),
})

type AdminKey = v.InferOutput<typeof adminKey>

const keys = () => v.optional(v.pipe(list(adminKey), distinct('id', (id) => `two keys are called ${id}`)), [])

const destination = mapping({
  url: described(secretUrl(), 'Where to send it: https.'),
  kind: described(v.optional(oneOf(['webhook', 'slack']), 'webhook'), 'Signed JSON, or what Slack understands.'),
  secret: described(v.optional(secret(16)), 'Signs the body of a webhook (HMAC).'),
})

const alerts = mapping({
  thresholds: described(v.optional(someOf(positive(1000)), [75, 90, 100]), 'Percent of a limit. Of several passed at once the highest is told.'),
  destinations: described(v.optional(v.pipe(list(destination), distinct('url', () => 'an earlier destination has the same URL', ({ url }) => (url instanceof Secret ? url.reveal() : undefined))), []), 'Who hears of it. The audit log does in any case.'),
})

const shareNoId = ({ write_keys, read_keys }: { write_keys: AdminKey[]; read_keys: AdminKey[] }) => !read_keys.some(({ id }) => write_keys.some((key) => key.id === id))

export const adminSchema = v.pipe(
  mapping({
    write_keys: described(keys(), 'Keys that may change limits.'),
    read_keys: described(keys(), 'Keys that may read.'),
    admin_groups: described(v.optional(list(text()), []), 'Groups whose members may do everything the keys may.'),
    blocked_message: described(v.optional(text()), 'What a person reads when a cap stops them.'),
    audit_retention_days: described(v.optional(integer(1), 365), 'How long the audit trail is kept.'),
    spend_retention_months: described(v.optional(integer(1), 13), 'How long spend is kept.'),
    identity_retention_days: described(v.optional(integer(1), 90), 'How long names and addresses are kept after a person was last seen.'),
    usage_retention_days: described(v.optional(integer(1), 400), 'How long the usage of single requests is kept.'),
    group_limit_mode: described(v.optional(oneOf(['min', 'max']), 'min'), 'Which limit counts for a person in several groups: the most restrictive, or the least.'),
    billing_group_tag: described(v.optional(text()), 'Beginning of the names of groups that spend is reported by, and whose pool is drawn on first.'),
    alerts: described(v.optional(alerts), 'Who hears of a spend limit that fills.'),
  }),
  v.forward(v.partialCheck([['write_keys'], ['read_keys']], shareNoId, 'an id is in write_keys, too: ids must be unique'), ['read_keys']),
)

export const enforcementSchema = mapping({
  fail_closed_on_error: described(v.optional(boolean(), false), 'Refuse requests while spend cannot be read. Needs `admin`.'),
  reserve: described(v.optional(boolean(), false), 'Hold the worst case of a request against the cap while it runs. Needs `admin`.'),
})

const price = () => positive(1e6)

const override = mapping({
  upstream: described(text(), 'Name of an upstream.'),
  model: described(text(), 'A model, in any spelling.'),
  input: described(price(), 'USD per million input tokens.'),
  output: described(price(), 'USD per million output tokens.'),
  cache_read: described(price(), 'USD per million tokens read from the cache.'),
  cache_write: described(price(), 'USD per million tokens written to the cache for five minutes.'),
  cache_write_1h: described(v.optional(price()), 'The same for an hour; what the list price makes of it unless given.'),
})

/** JSON keeps a name with a separator in it from looking like another pair. */
const rowName = ({ upstream, model }: Readonly<Record<string, unknown>>) =>
  typeof upstream === 'string' && typeof model === 'string' ? JSON.stringify([upstream, model.toLowerCase()]) : undefined

export const pricingSchema = mapping({
  multiplier: described(v.optional(positive(10), 1), 'Applied to every price.'),
  overrides: described(
    v.optional(v.pipe(list(override), distinct('model', () => 'an earlier row prices the same upstream and model', rowName)), []),
    'Prices that replace the list; the most specific row wins.',
  ),
})

export type AdminConfig = v.InferOutput<typeof adminSchema>
export type EnforcementConfig = v.InferOutput<typeof enforcementSchema>
export type PricingConfig = v.InferOutput<typeof pricingSchema>
