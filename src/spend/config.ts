import * as v from 'valibot'
import { boolean, decimal, described, integer, list, secret, text, url } from '../std/fields.ts'

const keys = v.optional(list(v.strictObject({ id: text(), key: secret(32) })), [])

export const adminSchema = v.pipe(
  v.strictObject({
    write_keys: described(keys, 'Keys that may change limits.'),
    read_keys: described(keys, 'Keys that may read.'),
    admin_groups: described(v.optional(list(text()), []), 'Groups whose members may do everything the keys may.'),
    blocked_message: described(v.optional(text()), 'What a person reads when a cap stops them.'),
    audit_retention_days: v.optional(integer(1), 365),
    spend_retention_months: v.optional(integer(1), 13),
    identity_retention_days: v.optional(integer(1), 90),
    usage_retention_days: v.optional(integer(1), 400),
    group_limit_mode: described(v.optional(v.picklist(['min', 'max'], 'must be min or max'), 'min'), 'Which cap counts for a person in several groups.'),
    billing_group_tag: v.optional(text()),
    alerts: described(
      v.optional(
        v.strictObject({
          thresholds: v.optional(list(decimal(0, 1000)), [75, 90, 100]),
          destinations: v.optional(list(v.strictObject({ url: url(), kind: v.optional(v.picklist(['webhook', 'slack']), 'webhook'), secret: v.optional(secret(16)) })), []),
        }),
      ),
      'Who hears of a cap that fills.',
    ),
  }),
  v.forward(
    v.check(({ write_keys, read_keys }) => {
      const ids = [...write_keys, ...read_keys].map(({ id }) => id)
      return new Set(ids).size === ids.length
    }, 'key ids must be unique'),
    ['write_keys'],
  ),
)

export const enforcementSchema = v.strictObject({
  fail_closed_on_error: described(v.optional(boolean(), false), 'Refuse requests while spend cannot be read.'),
  reserve: described(v.optional(boolean(), false), 'Hold the worst case of a request against the cap while it runs.'),
})

const override = v.strictObject({
  upstream: v.optional(text()),
  model: v.optional(text()),
  input: decimal(0, 1e6),
  output: decimal(0, 1e6),
  cache_read: v.optional(decimal(0, 1e6)),
  cache_write: v.optional(decimal(0, 1e6)),
  cache_write_1h: v.optional(decimal(0, 1e6)),
})

export const pricingSchema = v.strictObject({
  multiplier: described(v.optional(v.pipe(decimal(0, 10), v.check((value) => value > 0, 'must be above 0 and at most 10')), 1), 'Applied to every price.'),
  overrides: described(
    v.optional(
      v.pipe(
        list(override),
        v.check((rows) => new Set(rows.map(({ upstream, model }) => JSON.stringify([upstream, model]))).size === rows.length, 'two rows price the same upstream and model'),
      ),
      [],
    ),
    'Prices in USD per million tokens; the most specific row wins.',
  ),
})

export const quotaSchema = v.strictObject({
  match: v.strictObject({ groups: v.optional(list(text())), email_domain: v.optional(text()), user_id: v.optional(text()) }),
  requests_per_minute: v.optional(integer(1)),
  input_tokens_per_minute: v.optional(integer(1)),
  output_tokens_per_minute: v.optional(integer(1)),
  concurrent: v.optional(integer(1)),
})

export type AdminConfig = v.InferOutput<typeof adminSchema>
export type EnforcementConfig = v.InferOutput<typeof enforcementSchema>
export type PricingConfig = v.InferOutput<typeof pricingSchema>
export type QuotaConfig = v.InferOutput<typeof quotaSchema>
