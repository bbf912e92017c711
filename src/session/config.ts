import * as v from 'valibot'
import { decimal, described, document, integer, list, oneOrMore, secret, text, url } from '../std/fields.ts'

const PLACEHOLDER = /^(change[-_ ]?me|secret|password|your[-_ ]|example|placeholder|<)/i

const jwtSecret = () =>
  v.pipe(
    secret(32),
    v.check((value) => !PLACEHOLDER.test(value.reveal()), 'is a placeholder: make one with `openssl rand -base64 48`'),
  )

export const sessionSchema = v.strictObject({
  jwt_secret: described(
    oneOrMore(jwtSecret()),
    'Signs tokens and seals what is stored. Of a list the first signs and all verify, so that it can be rotated.',
  ),
  ttl_hours: described(v.optional(decimal(1 / 3600, 24), 1), 'Lifetime of an access token.'),
  max_hours: described(v.optional(decimal(1 / 3600, 24 * 366), 720), 'Age beyond which a sign-in cannot be refreshed.'),
})

export const serviceIdentitySchema = v.strictObject({
  name: text(),
  issuer: url(),
  audience: text(),
  match: v.record(v.string(), v.string('must be text'), 'must be a mapping of claims to patterns'),
  groups: v.optional(list(text()), []),
  ttl_minutes: v.optional(integer(1, 24 * 60), 60),
  claims: v.optional(document()),
})

export type SessionConfig = v.InferOutput<typeof sessionSchema>
export type ServiceIdentityConfig = v.InferOutput<typeof serviceIdentitySchema>
