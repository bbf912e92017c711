// The kinds of values a configuration section is made of, with the words an operator reads when one is wrong.
// `form` is what the reference calls the kind.
import * as v from 'valibot'
import { parseCidr, parseNetwork, type Cidr } from './cidr.ts'
import { Secret } from './secret.ts'

const form = <input>(words: string) => v.metadata<input, { form: string }>({ form: words })

/** Text with something in it. */
export const text = () => v.pipe(v.string('must be text'), v.check((value) => value.trim() !== '', 'must not be blank'), form('text'))

/** Text that is never printed. `minBytes` refuses what is too short to be a secret. */
export const secret = (minBytes = 1) =>
  v.pipe(
    v.string('must be text'),
    v.check((value) => Buffer.byteLength(value.trim()) >= minBytes, minBytes === 1 ? 'must not be blank' : `must be at least ${minBytes} bytes long`),
    v.transform((value) => new Secret(value)),
    form(minBytes === 1 ? 'secret' : `secret, at least ${minBytes} bytes`),
  )

/** A whole number; text that is one is accepted too, so that `${PORT}` works. */
export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => number(min, max, 'whole number')

/** Any number of the range, or text that is one. */
export const decimal = (min: number, max: number) => number(min, max, 'number')

/** A number above zero. */
export const positive = (max: number) =>
  v.pipe(v.union([v.number(), numeral], POSITIVE(max)), v.check((value) => value > 0 && value <= max, POSITIVE(max)), form(`number above 0, at most ${max}`))

const POSITIVE = (max: number) => `must be a number above 0 and at most ${max}`
const numeral = v.pipe(v.string(), v.regex(/^-?\d+(\.\d+)?$/), v.transform(Number))

function number(min: number, max: number, kind: 'number' | 'whole number') {
  const range = max === Number.MAX_SAFE_INTEGER ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`
  return v.pipe(
    v.union([v.number(), numeral], `must be a ${range}`),
    v.check((value) => Number.isFinite(value) && (kind === 'number' || Number.isInteger(value)) && value >= min && value <= max, `must be a ${range}`),
    form(range),
  )
}

export const boolean = () => v.pipe(v.boolean('must be true or false'), form('true or false'))

/** One of several words. */
export const oneOf = <const words extends readonly string[]>(words: words) =>
  v.pipe(v.picklist(words, `must be one of ${words.join(', ')}`), form(words.map((word) => `\`${word}\``).join(', ')))

/** An absolute http or https URL without user information or fragment; trailing slashes are dropped. */
export const url = () =>
  v.pipe(
    v.string('must be a URL'),
    v.check(isWebUrl, 'must be an absolute http or https URL without user name, password or fragment'),
    v.transform((value) => value.replace(/\/+$/, '')),
    form('URL'),
  )

/** A URL that is a credential, as those of webhooks are: kept to the letter, never printed. */
export const secretUrl = () =>
  v.pipe(
    secret(),
    v.check((value) => isWebUrl(value.reveal()), 'must be an absolute http or https URL without user name, password or fragment'),
    form('secret URL'),
  )

/** A URL that paths are put behind. */
export const baseUrl = () => v.pipe(url(), v.check((value) => !value.includes('?'), 'must not have a query: paths are put behind it'))

/** Scheme, host and port alone, in the one spelling browsers use. */
export const origin = () =>
  v.pipe(
    url(),
    v.check((value) => new URL(value).pathname === '/' && !value.includes('?'), 'must be an origin such as https://host.example: no path and no query'),
    v.transform((value) => new URL(value).origin),
    form('origin'),
  )

function isWebUrl(value: string): boolean {
  if (!URL.canParse(value) || /[\s\\]/.test(value)) return false
  const { protocol, username, password, hash } = new URL(value)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === ''
}

/** A range of addresses; `written` is there when it had to be corrected. */
export interface ConfiguredRange extends Cidr {
  readonly written?: string
}

/** A range such as `10.0.0.0/8`, or one address. */
export const cidr = ({ allowPort = false } = {}) =>
  v.pipe(
    v.string('must be an address or a range such as 10.0.0.0/8'),
    v.transform((value) => readRange(allowPort ? withoutPort(value) : value)),
    v.check((value): boolean => value !== undefined, 'is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32'),
    v.transform((value) => value as ConfiguredRange),
    form('address or range'),
  )

function readRange(written: string): ConfiguredRange | undefined {
  const network = parseNetwork(written)
  return network && (parseCidr(written) === undefined ? { ...network, written } : network)
}

function withoutPort(value: string): string {
  return value.replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1').replace(/^\[([^\]]+)\](?::\d{1,5})?$/, '$1')
}

/** A mail domain; one leading @ is forgiven. Blank would be everybody's, and two addresses nobody's. */
export const mailDomain = () =>
  v.pipe(
    v.string('must be a domain'),
    v.transform((value) => value.trim().replace(/^@/, '')),
    v.check((value) => value !== '' && !/[@\s,]/.test(value), 'must be one domain such as example.com: no @, white space or comma'),
    form('domain'),
  )

/** Part of a host name or path that the program builds a URL from: nothing that could change which host it is. */
export const urlPart = () => v.pipe(v.string('must be text'), v.regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'may hold letters, digits, dashes and underscores only'), form('text'))

/** Headers that are sent along. Their values are often credentials. */
export const headers = () =>
  v.pipe(
    refuseLists(v.record(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is not the name of a header')), // RFC 9110 §5.1
      v.pipe(v.string('must be text'), v.regex(/^[\t\x20-\x7e\x80-\xff]+$/, 'must be the value of a header: not blank, no line break'), v.transform((value) => new Secret(value))),
      'must be a mapping of names to values',
    )),
    form('mapping of names to secrets'),
  )

/** Names to text. */
export const textMap = (words = 'mapping of names to text') => v.pipe(refuseLists(v.record(v.string(), v.string('must be text'), `must be a ${words}`)), form(words))

/** A JSON object of any shape. */
export const document = () => v.pipe(refuseLists(v.record(v.string(), v.any(), 'must be a mapping')), form('document'))

export const list = <schema extends v.GenericSchema>(item: schema) => v.array(item, 'must be a list')

/** A list with something in it. */
export const someOf = <schema extends v.GenericSchema>(item: schema, words = 'must name at least one') =>
  v.pipe(list(item), v.check((items) => items.length > 0, words))

/** Refuses an item that has the name of an earlier one, and says so at that item, whatever else is wrong in the list. */
export const distinct = <items>(key: string, words: (name: string) => string, nameOf: (item: Readonly<Record<string, unknown>>) => unknown = (item) => item[key]) =>
  v.rawCheck<items>(({ dataset, addIssue }) => {
    const items: unknown = dataset.value
    if (!Array.isArray(items)) return
    const seen = new Set<string>()
    for (const [at, item] of items.entries()) {
      const name = typeof item === 'object' && item !== null ? nameOf(item as Record<string, unknown>) : undefined
      if (typeof name !== 'string') continue
      if (seen.has(name)) addIssue({ message: words(name), path: [{ type: 'array', origin: 'value', input: items, key: at, value: item }, { type: 'object', origin: 'value', input: item, key, value: name }] })
      seen.add(name)
    }
  })

/**
 * One value, or a list of them; always a list afterwards. Judged by its shape, so that the problem named is the real one.
 * Like `choice` it carries what it chooses from, for the reference.
 */
export const oneOrMore = <schema extends v.GenericSchema>(item: schema) => {
  type Many = v.GenericSchema<unknown, v.InferOutput<schema>[]>
  const many = someOf(item)
  const one = v.pipe(item, v.transform((value) => [value as v.InferOutput<schema>]))
  return Object.assign(v.lazy((input) => (Array.isArray(input) ? many : one) as never as Many), { oneOrMore: item })
}

/**
 * A list is not a mapping: valibot would take `[]` for `{}`, and a policy with `match: []` would be everybody's.
 */
function refuseLists<schema extends v.GenericSchema>(schema: schema): schema {
  const run = schema['~run']
  return { ...schema, '~run': (dataset, config) => run.call(schema, Array.isArray(dataset.value) ? { ...dataset, value: null } : dataset, config) }
}

/** A mapping of these keys and no others. */
export const mapping = <const entries extends v.ObjectEntries>(entries: entries) => refuseLists(v.strictObject(entries, 'must be a mapping'))

type MappingSchema = v.GenericSchema & { readonly entries: v.ObjectEntries }

/**
 * One of several mappings, told apart by the key that only it has (`''` is the empty one). Judged by the keys that are there,
 * so that a credential with a part missing is told which part, and two credentials are not taken for one.
 */
export const choice = <const options extends Readonly<Record<string, MappingSchema>>>(options: options, words: string) => {
  type Output = v.InferOutput<options[keyof options]>
  const all = Object.values(options)
  const anyKey = Object.fromEntries(all.flatMap(({ entries }) => Object.keys(entries).map((key) => [key, v.optional(v.any())])))
  const refuse = (message: string) =>
    v.pipe(
      mapping(anyKey),
      v.rawCheck(({ dataset, addIssue }) => {
        if (dataset.issues === undefined) addIssue({ message })
      }),
    )
  const choose = (input: unknown): v.GenericSchema => {
    const given = typeof input === 'object' && input !== null ? Object.keys(input) : []
    const [named, ...others] = Object.keys(options).filter((key) => given.includes(key))
    const chosen = named === undefined ? all.find(({ entries }) => given.length === 0 ? false : given.every((key) => key in entries)) : options[named]
    const beside = others.filter((key) => chosen !== undefined && !(key in chosen.entries))
    if (beside.length > 0) return refuse(`must hold only one of ${[named, ...beside].join(', ')}`)
    return chosen ?? (given.length === 0 ? options[''] : undefined) ?? refuse(words)
  }
  return Object.assign(v.lazy((input) => choose(input) as v.GenericSchema<unknown, Output>), { choices: options as Readonly<Record<string, MappingSchema>> })
}

/** An optional key with a sentence for the reference. `required` says when it must be there although the schema lets it be absent. */
export const described = <schema extends v.GenericSchema>(schema: schema, description: string, required?: string) =>
  v.pipe(schema, v.description(description), v.metadata({ requiredWhen: required }))
