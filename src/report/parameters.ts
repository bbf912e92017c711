// Query parameters of reports. A name that is not known is refused: a filter with a slip in its name would otherwise
// silently report everything.
import { GatewayError } from '../errors.ts'

export interface Parameters {
  /** Undefined when absent or empty. Throws when given twice. */
  one(name: string): string | undefined
  required(name: string): string
  /** Values of a repeated `name[]`, without repetitions. */
  many(name: string): readonly string[]
  /** Values of a repeated `name[]`, each one of `allowed`. */
  choices<choice extends string>(name: string, allowed: readonly choice[]): readonly choice[]
  choice<choice extends string>(name: string, allowed: readonly choice[]): choice | undefined
  whole(name: string, range: { least: number; most: number; otherwise: number }): number
}

const MAX_LENGTH = 1000

/** `taken`: the names of the report's parameters, lists with their brackets. Throws `invalid_request` as `name: reason`. */
export function readParameters(search: URLSearchParams, taken: readonly string[]): Parameters {
  for (const [name, value] of search) {
    if (!taken.includes(name)) throw refusal(printable(name), `not a parameter of this report, which takes ${taken.join(', ')}`)
    // PostgreSQL takes no NUL in a text; nothing that is counted has a name with a control character.
    if (/\p{Cc}/u.test(value)) throw refusal(name, 'has a control character')
    if (value.length > MAX_LENGTH) throw refusal(name, `longer than ${MAX_LENGTH} characters`)
  }
  const one = (name: string) => {
    const values = search.getAll(name)
    if (values.length > 1) throw refusal(name, 'given twice')
    return values[0] || undefined
  }
  const many = (name: string) => [...new Set(search.getAll(name))]
  const mustBe = <choice extends string>(name: string, value: string, allowed: readonly choice[]) => {
    if (!allowed.includes(value as choice)) throw refusal(name, `must be ${sentence(allowed)}`)
    return value as choice
  }
  return {
    one,
    required(name) {
      const value = one(name)
      if (value === undefined) throw refusal(name, 'required')
      return value
    },
    many,
    choices: (name, allowed) => many(name).map((value) => mustBe(name, value, allowed)),
    choice(name, allowed) {
      const value = one(name)
      return value === undefined ? undefined : mustBe(name, value, allowed)
    },
    whole(name, { least, most, otherwise }) {
      const value = one(name)
      if (value === undefined) return otherwise
      const number = /^\d{1,9}$/.test(value) ? Number(value) : NaN
      if (!(number >= least && number <= most)) throw refusal(name, `must be between ${least} and ${most}`)
      return number
    },
  }
}

function refusal(name: string, reason: string): GatewayError {
  return new GatewayError('invalid_request', `${name}: ${reason}`)
}

function sentence(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function printable(name: string): string {
  return name.replace(/\p{C}/gu, '').slice(0, 40) || '(empty)'
}
