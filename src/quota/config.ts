import * as v from 'valibot'
import { boolean, described, integer, mailDomain, mapping, someOf, text } from '../std/fields.ts'

const match = mapping({
  groups: described(v.optional(someOf(text())), 'Members of any of these groups.'),
  email_domain: described(v.optional(mailDomain()), 'People of this mail domain.'),
  user_id: described(v.optional(text()), 'One person, by `sub`.'),
})

const LIMITS = ['requests_per_minute', 'input_tokens_per_minute', 'output_tokens_per_minute', 'concurrent'] as const

export const quotaSchema = v.pipe(
  mapping({
    match: described(match, 'Who is meant, all of it together; empty: everybody.'),
    shared: described(v.optional(boolean(), false), 'Everybody who is meant draws on one amount together. Otherwise each has their own.'),
    requests_per_minute: described(v.optional(integer(1)), 'Requests.'),
    input_tokens_per_minute: described(v.optional(integer(1)), 'Tokens sent, those read from the cache left out.'),
    output_tokens_per_minute: described(v.optional(integer(1)), 'Tokens received.'),
    concurrent: described(v.optional(integer(1)), 'Requests at once.'),
  }),
  v.partialCheck(
    LIMITS.map((key) => [key] as const) as unknown as [['requests_per_minute'], ['input_tokens_per_minute'], ['output_tokens_per_minute'], ['concurrent']],
    (quota) => LIMITS.some((key) => quota[key] !== undefined),
    `needs at least one of ${LIMITS.join(', ')}`,
  ),
)

export type QuotaConfig = v.InferOutput<typeof quotaSchema>
