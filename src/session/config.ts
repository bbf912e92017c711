import * as v from 'valibot'
import { described, distinct, integer, list, mapping, oneOrMore, positive, secret, text, textMap, url } from '../std/fields.ts'

/** Words that documentation puts where a secret belongs. A weak secret that somebody chose is warned about instead. */
const PLACEHOLDER = /change[-_ ]?me|replace[-_ ]?(me|this)|placeholder|your[-_ ](jwt|session|secret|own)|insert[-_ ]|^<.*>$|openssl rand/i

const jwtSecret = () =>
  v.pipe(
    secret(32),
    v.check((value) => !PLACEHOLDER.test(value.reveal()), 'is a placeholder: make one with `openssl rand -base64 48`'),
  )

export const sessionSchema = v.pipe(
  mapping({
    jwt_secret: described(
      oneOrMore(jwtSecret()),
      'Signs tokens and seals what is stored. Of a list the first signs and all verify, so that it can be rotated. `openssl rand -base64 48` makes one.',
    ),
    ttl_hours: described(v.optional(positive(24), 1), 'Lifetime of an access token.'),
    max_hours: described(v.optional(positive(24 * 366), 720), 'Age beyond which a sign-in cannot be refreshed.'),
  }),
  v.forward(v.partialCheck([['ttl_hours'], ['max_hours']], ({ ttl_hours, max_hours }) => ttl_hours <= max_hours, 'must not be shorter than session.ttl_hours'), ['max_hours']),
)

export const serviceIdentitySchema = mapping({
  name: described(text(), 'Names the workload in logs and reports.'),
  issuer: described(url(), 'Who signs its tokens.'),
  audience: described(text(), 'What its tokens are for.'),
  match: described(v.pipe(textMap('mapping of claims to patterns'), v.check((claims) => Object.keys(claims).length > 0, 'must name at least one claim')), 'Claims its tokens must carry, and patterns of their values.'),
  groups: described(v.optional(list(text()), []), 'Groups it is in.'),
  ttl_minutes: described(v.optional(integer(1, 24 * 60), 60), 'Lifetime of its access token.'),
})

export const serviceIdentitiesSchema = v.pipe(
  list(serviceIdentitySchema),
  distinct('name', (name) => `two service identities are called ${name}`),
)

export type SessionConfig = v.InferOutput<typeof sessionSchema>
export type ServiceIdentityConfig = v.InferOutput<typeof serviceIdentitySchema>
