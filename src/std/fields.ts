// The kinds of values a configuration section is made of, with the words an operator reads when one is wrong.
import * as v from 'valibot'
import { parseCidr, type Cidr } from './cidr.ts'
import { Secret } from './secret.ts'

/** Text with something in it. */
export const text = () => v.pipe(v.string('must be text'), v.check((value) => value.trim() !== '', 'must not be blank'))

/** Text that is never printed. `minBytes` refuses what is too short to be a secret. */
export const secret = (minBytes = 1) =>
  v.pipe(
    v.string('must be text'),
    v.check((value) => Buffer.byteLength(value) >= minBytes, minBytes === 1 ? 'must not be empty' : `must be at least ${minBytes} bytes long`),
    v.transform((value) => new Secret(value)),
  )

/** A whole number; text that is one is accepted too, so that `${PORT}` works. */
export const integer = (min: number, max = Number.MAX_SAFE_INTEGER) => number(min, max, true)

/** Any number of the range, or text that is one. */
export const decimal = (min: number, max: number) => number(min, max, false)

function number(min: number, max: number, whole: boolean) {
  const kind = whole ? 'a whole number' : 'a number'
  const range = max === Number.MAX_SAFE_INTEGER ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`
  return v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^-?\d+(\.\d+)?$/), v.transform(Number))], `must be ${range}`),
    v.check((value) => Number.isFinite(value) && (!whole || Number.isInteger(value)) && value >= min && value <= max, `must be ${range}`),
  )
}

export const boolean = () => v.boolean('must be true or false')

/** An absolute http or https URL without user information or fragment; trailing slashes are dropped. */
export const url = () =>
  v.pipe(
    v.string('must be a URL'),
    v.check(isWebUrl, 'must be an absolute http or https URL without user name, password or fragment'),
    v.transform((value) => value.replace(/\/+$/, '')),
  )

function isWebUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, username, password, hash } = new URL(value)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '' && hash === ''
}

/** A range such as `10.0.0.0/8`, or one address. */
export const cidr = ({ allowPort = false } = {}) =>
  v.pipe(
    v.string('must be an address or a range such as 10.0.0.0/8'),
    v.transform((value) => parseCidr(allowPort ? withoutPort(value) : value)),
    v.check((value): boolean => value !== undefined, 'is not an address or a range: write 10.0.0.0/8 or 2001:db8::/32, without bits beyond the prefix'),
    v.transform((value) => value as Cidr),
  )

function withoutPort(value: string): string {
  return value.replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1').replace(/^\[([^\]]+)\](?::\d{1,5})?$/, '$1')
}

/** Part of a host name or path that the program builds a URL from: nothing that could change which host it is. */
export const urlPart = () => v.pipe(v.string('must be text'), v.regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'may hold letters, digits and dashes only'))

/** A JSON object of any shape. */
export const document = () => v.record(v.string(), v.any(), 'must be a mapping')

export const list = <schema extends v.GenericSchema>(item: schema) => v.array(item, 'must be a list')

/** A list with something in it. */
export const someOf = <schema extends v.GenericSchema>(item: schema) =>
  v.pipe(list(item), v.check((items) => items.length > 0, 'must name at least one'))

/** One value, or a list of them; always a list afterwards. Judged by its shape, so that the problem named is the real one. */
export const oneOrMore = <schema extends v.GenericSchema>(item: schema) => {
  const many = someOf(item)
  const one = v.pipe(item, v.transform((value) => [value as v.InferOutput<schema>]))
  return v.lazy((input): v.GenericSchema<unknown, v.InferOutput<schema>[]> => (Array.isArray(input) ? many : one) as never)
}

/** An optional key with a sentence for the reference. */
export const described = <schema extends v.GenericSchema>(schema: schema, description: string) => v.pipe(schema, v.description(description))
