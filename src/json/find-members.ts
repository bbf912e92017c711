import { isArrayAt, isKey, isObjectAt, pastColon, pastComma, skipScalar, skipSpace, skipString, skipValue, textOf } from './scan.ts'

/** A member and the containers it stands in, from the outermost. */
export interface FoundMember {
  readonly path: readonly Container[]
  readonly valueStart: number
}

/** An object by the name of its member, or an array by the position of its item. */
export interface Container {
  /** Offset of its opening bracket. */
  readonly open: number
  readonly key: string | number
}

interface Frame {
  readonly open: number
  readonly isObject: boolean
  keyStart: number
  keyEnd: number
  item: number
}

export interface Search {
  readonly name: string
  /** Members in whose values nothing is looked for. */
  readonly except: readonly string[]
  /** Ends the search. */
  readonly most: number
}

/**
 * Every member called `name` in the object that opens at `open` and whatever is in it. In JSON that `scanObject` has
 * checked; one pass, without recursion. The names are of ASCII letters, digits and `-_.` alone.
 */
export function findMembers(bytes: Uint8Array, open: number, { name, except, most }: Search): FoundMember[] {
  const found: FoundMember[] = []
  const frames: Frame[] = [frameAt(bytes, open)]
  let at = skipSpace(bytes, open + 1)
  for (let frame = frames[0]; frame !== undefined && found.length < most; frame = frames.at(-1)) {
    if (isClosing(bytes[at])) {
      frames.pop()
      at = pastComma(bytes, at + 1)
      continue
    }
    frame.item++
    let isSkipped = false
    if (frame.isObject) {
      const [start, end] = [at, skipString(bytes, at)]
      Object.assign(frame, { keyStart: start, keyEnd: end })
      at = pastColon(bytes, end)
      isSkipped = except.some((other) => isKey(bytes, start, end, other))
      if (!isSkipped && isKey(bytes, start, end, name)) found.push({ path: frames.map((one) => containerOf(bytes, one)), valueStart: at })
    }
    if (!isSkipped && (isObjectAt(bytes, at) || isArrayAt(bytes, at))) {
      frames.push(frameAt(bytes, at))
      at = skipSpace(bytes, at + 1)
    } else at = pastComma(bytes, isSkipped ? skipValue(bytes, at) : skipScalar(bytes, at))
  }
  return found
}

/**
 * What the blocks of these members lie in: a block is `levels` containers up from its member, 1 being the one that it stands
 * in. Blocks that none of the others lies in can each be walked through: together that is one pass over the body at most.
 */
export function outerOf(found: readonly FoundMember[], levels: number): ReadonlySet<number> {
  return new Set(found.flatMap(({ path }) => path.slice(0, -levels).map(({ open }) => open)))
}

function frameAt(bytes: Uint8Array, open: number): Frame {
  return { open, isObject: isObjectAt(bytes, open), keyStart: 0, keyEnd: 0, item: -1 }
}

function containerOf(bytes: Uint8Array, { open, isObject, keyStart, keyEnd, item }: Frame): Container {
  return { open, key: isObject ? textOf(bytes, keyStart, keyEnd) : item }
}

function isClosing(byte: number | undefined): boolean {
  return byte === 0x7d || byte === 0x5d
}
