// Puts attributes on the resources of an OTLP export in JSON, in the bytes as they came: numbers beyond 2^53 stay exact.
import { applyEdits, type Edit } from '../json/edit.ts'
import { isArrayAt, isObjectAt, isStringAt, itemsOf, membersOf, scanObject, skipSpace, stringAt, type Member } from '../json/scan.ts'
import { missingFrom, type Attributes, type Carried } from './identity.ts'
import { MOST_RESOURCES } from './stamp-protobuf.ts'

const HOLDERS = new Set(['resourceMetrics', 'resource_metrics', 'resourceLogs', 'resource_logs', 'resourceSpans', 'resource_spans'])

/** Adds to each resource the attributes that it lacks, unless it speaks of somebody else. Undefined where the bytes are not such an export. */
export function stampJson(bytes: Uint8Array, attributes: Attributes): Uint8Array | undefined {
  const scan = scanObject(bytes)
  if (!scan.ok) return undefined
  const holders = scan.members.filter(({ name, valueStart }) => HOLDERS.has(name) && isArrayAt(bytes, valueStart)).flatMap(({ valueStart }) => itemsOf(bytes, valueStart))
  if (holders.length > MOST_RESOURCES) return undefined
  return applyEdits(bytes, holders.flatMap((at) => (isObjectAt(bytes, at) ? [editOf(bytes, at, attributes)] : [])).filter((edit) => edit !== undefined))
}

/** The last of several members of a name is the one that counts. */
function editOf(bytes: Uint8Array, holder: number, attributes: Attributes): Edit | undefined {
  const resource = lastOf(bytes, holder, 'resource')
  if (resource === undefined || !isObjectAt(bytes, resource.valueStart)) return put(bytes, holder, resource, `"resource":{"attributes":[${written(attributes)}]}`)
  const list = lastOf(bytes, resource.valueStart, 'attributes')
  if (list === undefined || !isArrayAt(bytes, list.valueStart)) return put(bytes, resource.valueStart, list, `"attributes":[${written(attributes)}]`)
  const items = itemsOf(bytes, list.valueStart)
  const missing = missingFrom(items.flatMap((at) => carriedAt(bytes, at) ?? []), attributes)
  if (missing.length === 0) return undefined
  return insertion(list.valueStart + 1, written(missing), items.length > 0)
}

function lastOf(bytes: Uint8Array, open: number, name: string): Member | undefined {
  return membersOf(bytes, open).findLast((member) => member.name === name)
}

/** The member in place of what has no meaning there, or as the first one of the object. */
function put(bytes: Uint8Array, open: number, instead: Member | undefined, member: string): Edit {
  if (instead !== undefined) return { start: instead.start, end: instead.end, text: member }
  return insertion(open + 1, member, bytes[skipSpace(bytes, open + 1)] !== 0x7d)
}

function insertion(at: number, text: string, isFollowed: boolean): Edit {
  return { start: at, end: at, text: isFollowed ? `${text},` : text }
}

function carriedAt(bytes: Uint8Array, at: number): [Carried] | undefined {
  const key = isObjectAt(bytes, at) ? textOf(bytes, lastOf(bytes, at, 'key')) : undefined
  if (key === undefined) return undefined
  const value = lastOf(bytes, at, 'value')
  return [[key, value === undefined || !isObjectAt(bytes, value.valueStart) ? undefined : textOf(bytes, lastOf(bytes, value.valueStart, 'stringValue') ?? lastOf(bytes, value.valueStart, 'string_value'))]]
}

function textOf(bytes: Uint8Array, member: Member | undefined): string | undefined {
  return member !== undefined && isStringAt(bytes, member.valueStart) ? stringAt(bytes, member.valueStart) : undefined
}

function written(attributes: Attributes): string {
  return attributes.map(([key, value]) => JSON.stringify({ key, value: { stringValue: value } })).join(',')
}
