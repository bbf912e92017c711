// Puts attributes on the resources of an OTLP export in protobuf. Three levels are looked at and everything else is copied
// as it stands: a library would decode all of it, and lose what its version of the protocol does not know.
// https://protobuf.dev/programming-guides/encoding/ and opentelemetry-proto 1.x; the three signals have the same numbers:
// ExportXServiceRequest.resource_x = 1, ResourceX.resource = 1, Resource.attributes = 1, KeyValue.key = 1, .value = 2,
// AnyValue.string_value = 1.
import { isIdentity, missingFrom, type Attributes, type Carried } from './identity.ts'

interface Field {
  readonly number: number
  readonly wire: number
  /** From its tag to its end. */
  readonly start: number
  readonly end: number
  /** Of the content, where it has a length. */
  readonly content: number
}

const LENGTH_DELIMITED = 2
/** Far more than a client sends at once; an export of nothing but empty resources would grow a hundredfold. */
export const MOST_RESOURCES = 1000
const MOST_FIELDS = 100_000

/** Thrown inside: this is no export, or none that we touch. */
class Unreadable extends Error {}

/** Adds to each resource the attributes that it lacks, unless it speaks of somebody else. Undefined where the bytes are not such an export. */
export function stampProtobuf(bytes: Uint8Array, attributes: Attributes): Uint8Array | undefined {
  const budget = { fields: MOST_FIELDS, resources: MOST_RESOURCES }
  try {
    return mapField(bytes, fieldsOf(bytes, budget), (_, holder) => {
      if (budget.resources-- === 0) throw new Unreadable()
      return stampHolder(holder, attributes, budget)
    })
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

interface Budget {
  fields: number
}

/** Of several occurrences of the resource most readers merge them and some take the last: it gets what all of them lack. */
function stampHolder(bytes: Uint8Array, attributes: Attributes, budget: Budget): Uint8Array {
  const fields = fieldsOf(bytes, budget)
  const resources = fields.filter(({ number }) => number === 1)
  const carried = resources.flatMap((resource) => carriedIn(contentOf(bytes, resource), budget))
  const added = Buffer.concat(missingFrom(carried, attributes).map(keyValue))
  if (added.length === 0) return bytes
  if (resources.length === 0) return Buffer.concat([delimited(1, added), bytes])
  return mapField(bytes, fields, (field, resource) => (field === resources.at(-1) ? Buffer.concat([resource, added]) : resource))
}

function carriedIn(resource: Uint8Array, budget: Budget): Carried[] {
  return fieldsOf(resource, budget)
    .filter(({ number }) => number === 1)
    .map((attribute) => {
      const pair = contentOf(resource, attribute)
      const fields = fieldsOf(pair, budget)
      const key = textOf(pair, fields.findLast(({ number }) => number === 1)) ?? ''
      const value = isIdentity(key) ? fields.findLast(({ number }) => number === 2) : undefined
      return [key, value && stringIn(contentOf(pair, value), budget)]
    })
}

/** Of several values in one the last counts. */
function stringIn(value: Uint8Array, budget: Budget): string | undefined {
  const last = fieldsOf(value, budget).at(-1)
  return last?.number === 1 ? textOf(value, last) : undefined
}

function textOf(bytes: Uint8Array, field: Field | undefined): string | undefined {
  return field && Buffer.from(contentOf(bytes, field)).toString('utf8')
}

/** The message with the contents of each field 1 changed. */
function mapField(bytes: Uint8Array, fields: readonly Field[], change: (field: Field, content: Uint8Array) => Uint8Array): Uint8Array {
  return Buffer.concat(
    fields.map((field) => {
      if (field.number !== 1) return bytes.subarray(field.start, field.end)
      const content = contentOf(bytes, field)
      const changed = change(field, content)
      return changed === content ? bytes.subarray(field.start, field.end) : delimited(1, changed)
    }),
  )
}

function keyValue([key, value]: Attributes[number]): Buffer {
  return delimited(1, Buffer.concat([delimited(1, Buffer.from(key)), delimited(2, delimited(1, Buffer.from(value)))]))
}

function delimited(number: number, content: Uint8Array): Buffer {
  const head = [(number << 3) | LENGTH_DELIMITED]
  let length = content.length
  for (; length > 0x7f; length = Math.floor(length / 128)) head.push((length % 128) | 0x80)
  return Buffer.concat([Uint8Array.from([...head, length]), content])
}

function contentOf(bytes: Uint8Array, { wire, content, end }: Field): Uint8Array {
  if (wire !== LENGTH_DELIMITED) throw new Unreadable()
  return bytes.subarray(content, end)
}

function fieldsOf(bytes: Uint8Array, budget: Budget): Field[] {
  const fields: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    if (budget.fields-- === 0) throw new Unreadable()
    const tag = varint(bytes, at)
    const [number, wire] = [Math.floor(tag.value / 8), tag.value % 8]
    const { content, end } = extent(bytes, wire, tag.end)
    if (number === 0 || end > bytes.length) throw new Unreadable()
    fields.push({ number, wire, start: at, content, end })
    at = end
  }
  return fields
}

/** Groups (3 and 4) are not in OTLP. */
function extent(bytes: Uint8Array, wire: number, at: number): { content: number; end: number } {
  if (wire === 0) return { content: at, end: varint(bytes, at).end }
  if (wire === 1) return { content: at, end: at + 8 }
  if (wire === 5) return { content: at, end: at + 4 }
  if (wire !== LENGTH_DELIMITED) throw new Unreadable()
  const length = varint(bytes, at)
  return { content: length.end, end: length.end + length.value }
}

/** Exact up to 2^53; only the extent of a longer one is of interest. */
function varint(bytes: Uint8Array, from: number): { value: number; end: number } {
  let [value, factor] = [0, 1]
  for (let at = from; at < from + 10; at++, factor *= 128) {
    const byte = bytes[at]
    if (byte === undefined) throw new Unreadable()
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return { value, end: at + 1 }
  }
  throw new Unreadable()
}
