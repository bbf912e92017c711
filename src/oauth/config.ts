import * as v from 'valibot'
import { described, integer } from '../std/fields.ts'

const rule = (max: number) =>
  v.optional(v.strictObject({ max: v.optional(integer(1), max), window_seconds: v.optional(integer(1, 86_400), 600) }), { max, window_seconds: 600 })

export const rateLimitsSchema = v.strictObject({
  device_authorization: described(rule(30), 'Sign-ins begun per address.'),
  device_verify: described(rule(10), 'Codes entered per address.'),
})

export type RateLimitsConfig = v.InferOutput<typeof rateLimitsSchema>
