import * as v from 'valibot'
import { described, integer, mapping } from '../std/fields.ts'

const rule = (max: number) =>
  v.optional(
    mapping({
      max: described(v.optional(integer(1), max), 'How many requests.'),
      window_seconds: described(v.optional(integer(1, 86_400), 600), 'In how long.'),
    }),
    {},
  )

export const rateLimitsSchema = mapping({
  device_authorization: described(rule(30), 'Sign-ins begun per address.'),
  device_verify: described(rule(10), 'Codes entered per address; as many sign-ins to the page `/me`.'),
})

export type RateLimitsConfig = v.InferOutput<typeof rateLimitsSchema>
