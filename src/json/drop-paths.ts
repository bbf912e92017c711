// Takes fields out of checked JSON by their paths, in one walk that visits only what a path leads through.
import { removals, type Edit } from './edit.ts'
import { fieldsOf, isArrayAt, isObjectAt, isStringAt, itemsOf, memberOf, textOf, type Field, type JsonObject, type Member } from './scan.ts'

/** Names of members from the top level down, of ASCII letters, digits and `-_.`. `*` is every item of an array; `<x>` leads on in objects whose `type` is `x` alone. */
export type Path = readonly string[]

interface Node {
  readonly isDropped: boolean
  readonly children: ReadonlyMap<string, Node>
  /** By the type of an object: what leads on there instead, `children` included. */
  readonly byType: ReadonlyMap<string, Node>
  /** What has to be read of an object to go on from here. */
  readonly names: readonly string[]
}

/** The type of an object that names none, as a tool may do. */
const UNTYPED = 'custom'

/** The edits that take every field out that one of `paths` leads to. Paths through values of another shape lead nowhere. */
export function dropPaths({ bytes, members }: JsonObject, paths: readonly Path[]): Edit[] {
  // Most requests carry none of these fields: a native search for the name costs microseconds, the walk a hundred.
  const present = paths.filter((path) => isPerhapsIn(bytes, members, path))
  if (present.length === 0) return []
  const edits: Edit[] = []
  visitFields(bytes, members, treeOf(present), edits)
  return edits
}

function isPerhapsIn(bytes: Uint8Array, members: readonly Member[], path: Path): boolean {
  const member = members.find(({ name }) => name === path[0])
  if (member === undefined || path.length === 1) return member !== undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset + member.valueStart, member.end - member.valueStart).includes(`"${path.at(-1)}"`)
}

function treeOf(paths: readonly Path[]): Node {
  const longer = paths.filter((path) => path.length > 0)
  const plain = longer.filter(([first]) => !isType(first as string))
  const behind = (segment: string) => longer.filter(([first]) => first === segment).map((path) => path.slice(1))
  const firsts = [...new Set(longer.map(([first]) => first as string))]
  const children = new Map(firsts.filter((first) => !isType(first)).map((first) => [first, treeOf(behind(first))]))
  const byType = new Map(firsts.filter(isType).map((first) => [first.slice(1, -1), treeOf([...plain, ...behind(first)])]))
  const names = new Set([...children.keys(), ...(byType.size === 0 ? [] : ['type']), ...[...byType.values()].flatMap((node) => node.names)])
  return { isDropped: longer.length < paths.length, children, byType, names: [...names].filter((name) => name !== '*') }
}

function isType(segment: string): boolean {
  return segment.startsWith('<')
}

function visitFields(bytes: Uint8Array, fields: readonly Field[], given: Node, edits: Edit[]): void {
  const node = given.byType.size === 0 ? given : (given.byType.get(typeOf(bytes, fields) ?? UNTYPED) ?? given)
  const childOf = ({ name }: Field) => (name === undefined ? undefined : node.children.get(name))
  for (const edit of removals(fields, (field) => childOf(field)?.isDropped === true)) edits.push(edit)
  for (const field of fields) {
    const child = childOf(field)
    if (child !== undefined && !child.isDropped) visitValue(bytes, field.valueStart, child, edits)
  }
}

function visitValue(bytes: Uint8Array, at: number, node: Node, edits: Edit[]): void {
  if (isObjectAt(bytes, at)) return visitFields(bytes, fieldsOf(bytes, at, node.names), node, edits)
  const items = node.children.get('*')
  if (items !== undefined && isArrayAt(bytes, at)) for (const item of itemsOf(bytes, at)) visitValue(bytes, item, items, edits)
}

function typeOf(bytes: Uint8Array, members: readonly Field[]): string | undefined {
  const type = memberOf(members, 'type')
  return type !== undefined && isStringAt(bytes, type.valueStart) ? textOf(bytes, type.valueStart, type.end) : undefined
}

/**
 * The path of a field that an error names, such as `tools.11.custom.defer_loading`: indices become `*`, and names that
 * lead nowhere in the document (the tags of a union, here `custom`) are passed over. The field is found in objects of the
 * same type alone: another type may well have one of that name. Undefined when the document has no such field.
 */
export function resolvePath(object: JsonObject, named: Path): Path | undefined {
  const { bytes } = object
  const path: string[] = []
  let at: number | undefined
  let tag: string | undefined
  for (const [depth, segment] of named.entries()) {
    const isLast = depth === named.length - 1
    const within = at
    if (within !== undefined && isArrayAt(bytes, within)) {
      const item: number | undefined = /^\d+$/.test(segment) ? itemsOf(bytes, within)[Number(segment)] : undefined
      if (item === undefined || isLast) return undefined
      path.push('*')
      at = item
      tag = undefined
      continue
    }
    if (within !== undefined && !isObjectAt(bytes, within)) return undefined
    const members: readonly Field[] = within === undefined ? object.members : fieldsOf(bytes, within, [segment, 'type'])
    const member = memberOf(members, segment)
    if (isLast) {
      if (member === undefined) return undefined
      const type = within === undefined ? undefined : (typeOf(bytes, members) ?? tag)
      return [...path, ...(type === undefined ? [] : [`<${type}>`]), segment]
    }
    const leadsOn = member !== undefined && (isObjectAt(bytes, member.valueStart) || isArrayAt(bytes, member.valueStart))
    if (leadsOn) {
      path.push(segment)
      at = member.valueStart
      tag = undefined
    } else if (within === undefined) return undefined
    // A text block has a `text` of its own.
    else tag = segment
  }
  return undefined
}
