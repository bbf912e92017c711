import * as v from 'valibot'
import { described, integer, mapping, secret, text } from '../std/fields.ts'

const EITHER = 'give either store.postgres_url or store.embedded'

export const storeSchema = v.pipe(
  mapping({
    postgres_url: described(
      v.optional(v.pipe(secret(), v.check((value) => /^postgres(ql)?:\/\//.test(value.reveal()), 'must begin with postgres://'))),
      'Where PostgreSQL is.',
      '`embedded` is not given',
    ),
    username: described(v.optional(text()), 'Wins over the user name of the URL.'),
    password: described(v.optional(secret()), 'Wins over the password of the URL, and may hold any character.'),
    max_connections: described(v.optional(integer(1, 1000), 5), 'Connections of this process.'),
    readiness_grace_seconds: described(v.optional(integer(0, 86_400), 0), 'How long the gateway stays ready while PostgreSQL is away.'),
    embedded: described(v.optional(text()), 'A directory: PostgreSQL runs inside the program. For evaluation and a single small host; excludes `postgres_url`.'),
  }),
  v.forward(v.partialCheck([['postgres_url'], ['embedded']], ({ postgres_url, embedded }) => (postgres_url === undefined) !== (embedded === undefined), EITHER), ['postgres_url']),
)

export type StoreConfig = v.InferOutput<typeof storeSchema>
