// Edits of checked JSON on byte ranges. What is not edited is never written anew: numbers beyond 2^53 and `1.0` stay as
// they came.
import type { Field, JsonObject, Member } from './scan.ts'

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
  const edits = drop === undefined ? [...inside] : inside.concat(removals(members, ({ name }) => drop.has(name)))
  const stays = members.filter(({ name }) => !drop?.has(name))
  for (const { name, valueStart, end } of stays) {
    // A member may be called `constructor`.
    const text = replace !== undefined && Object.hasOwn(replace, name) ? replace[name] : undefined
    if (text !== undefined) edits.push({ start: valueStart, end, text })
  }
  if (add !== undefined) {
    const added = Object.entries(add).map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')
    const open = bytes.indexOf(0x7b) + 1
    if (added !== '') edits.push({ start: open, end: open, text: stays.length === 0 ? added : `${added},` })
  }
  return applyEdits(bytes, edits)
}

/** What takes the members that `isDropped` names out of their object, neighbours together and with the commas that belong to them. */
export function removals<member extends Field>(members: readonly member[], isDropped: (member: member) => boolean): Edit[] {
  const edits: Edit[] = []
  let kept: member | undefined
  let run: Edit | undefined
  for (const member of members) {
    if (isDropped(member)) run = { start: run?.start ?? kept?.end ?? member.start, end: member.end, text: '' }
    else {
      // The first ones take the comma behind them along, all others the one before.
      if (run !== undefined) edits.push(kept === undefined ? { ...run, end: member.start } : run)
      run = undefined
      kept = member
    }
  }
  if (run !== undefined) edits.push(run)
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
