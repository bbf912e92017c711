// Edits of checked JSON on byte ranges. What is not edited is never written anew: numbers beyond 2^53 and `1.0` stay as
// they came.
import type { JsonObject, Member } from './scan.ts'

/** The bytes from `start` to `end` become `text`. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

export interface TopLevelEdits {
  /** Members of these names are left out. */
  readonly drop?: ReadonlySet<string>
  /** These are put first; a member of the same name has to be dropped. Values are JSON. */
  readonly add?: Readonly<Record<string, string>>
  /** Members of these names get another value, as JSON. */
  readonly replace?: Readonly<Record<string, string>>
  /** Edits inside members: of the members themselves, none is taken out by these. */
  readonly inside?: readonly Edit[]
}

const encoder = new TextEncoder()

/**
 * The object with only the last member of each name, and without those of `dropped`: whoever reads it reads what was
 * checked here. The very same object when nothing changes.
 */
export function withoutDuplicates(object: JsonObject, dropped: ReadonlySet<string>): JsonObject {
  const { bytes, members } = object
  const last = new Map(members.map((member, at) => [member.name, at]))
  const kept = members.filter((member, at) => last.get(member.name) === at && !dropped.has(member.name))
  if (kept.length === members.length) return object
  const parts: Uint8Array[] = []
  const moved: Member[] = []
  let length = 0
  const push = (part: Uint8Array) => {
    parts.push(part)
    length += part.byteLength
  }
  for (const { name, start, valueStart, end } of kept) {
    push(encoder.encode(length === 0 ? '{' : ','))
    moved.push({ name, start: length, valueStart: length + valueStart - start, end: length + end - start })
    push(bytes.subarray(start, end))
  }
  push(encoder.encode(length === 0 ? '{}' : '}'))
  return { bytes: Buffer.concat(parts, length), members: moved }
}

/** The bytes of an object without duplicate members after these edits; the very same buffer when there are none. */
export function editObject({ bytes, members }: JsonObject, { drop, add, replace, inside = [] }: TopLevelEdits): Uint8Array {
  const edits = [...inside]
  const stays = members.filter(({ name }) => !drop?.has(name))
  if (drop !== undefined) edits.push(...removals(members, ({ name }) => drop.has(name)))
  if (replace !== undefined) for (const { name, valueStart, end } of stays) if (replace[name] !== undefined) edits.push({ start: valueStart, end, text: replace[name] })
  if (add !== undefined) {
    const added = Object.entries(add).map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')
    const open = bytes.indexOf(0x7b) + 1
    if (added !== '') edits.push({ start: open, end: open, text: stays.length === 0 ? added : `${added},` })
  }
  return applyEdits(bytes, edits)
}

/** What takes the members that `isDropped` names out of their object, with the commas that belong to them. */
export function removals(members: readonly Member[], isDropped: (member: Member) => boolean): Edit[] {
  const edits: Edit[] = []
  let keptBefore = false
  for (const [at, member] of members.entries()) {
    if (!isDropped(member)) {
      keptBefore = true
      continue
    }
    const [before, after] = [members[at - 1], members[at + 1]]
    if (keptBefore && before !== undefined) edits.push({ start: before.end, end: member.end, text: '' })
    else edits.push({ start: member.start, end: after === undefined ? member.end : after.start, text: '' })
  }
  return edits
}

/** Edits must not overlap, except that one may lie wholly inside a removal. */
export function applyEdits(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes
  const parts: Uint8Array[] = []
  let at = 0
  for (const { start, end, text } of edits.toSorted(inOrder)) {
    if (start < at) continue
    parts.push(bytes.subarray(at, start))
    if (text !== '') parts.push(encoder.encode(text))
    at = end
  }
  parts.push(bytes.subarray(at))
  return Buffer.concat(parts)
}

/** At one place what is inserted comes first, then the longest removal, which takes those inside it with it. */
function inOrder(a: Edit, b: Edit): number {
  return a.start - b.start || Number(b.start === b.end) - Number(a.start === a.end) || b.end - a.end
}
