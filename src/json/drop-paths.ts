// Takes fields out of checked JSON by their paths, in one walk that visits only what a path leads through.
import { removals, type Edit } from './edit.ts'
import { isArrayAt, isObjectAt, itemsOf, membersOf, type JsonObject, type Member } from './scan.ts'

/** Names of members from the top level down; `*` is every item of an array. */
export type Path = readonly string[]

interface Node {
  isDropped: boolean
  readonly children: Map<string, Node>
}

/** The edits that take every field out that one of `paths` leads to. Paths through values of another shape lead nowhere. */
export function dropPaths({ bytes, members }: JsonObject, paths: readonly Path[]): Edit[] {
  // Most requests carry none of these fields: a native search for the name costs microseconds, the walk a hundred.
  const present = paths.filter((path) => isPerhapsIn(bytes, members, path))
  if (present.length === 0) return []
  const edits: Edit[] = []
  visitMembers(bytes, members, treeOf(present), edits)
  return edits
}

function isPerhapsIn(bytes: Uint8Array, members: readonly Member[], path: Path): boolean {
  const member = members.find(({ name }) => name === path[0])
  if (member === undefined || path.length === 1) return member !== undefined
  return Buffer.from(bytes.buffer, bytes.byteOffset + member.valueStart, member.end - member.valueStart).includes(`"${path.at(-1)}"`)
}

function treeOf(paths: readonly Path[]): Node {
  const root: Node = { isDropped: false, children: new Map() }
  for (const path of paths) {
    let node = root
    for (const segment of path) {
      const next = node.children.get(segment) ?? { isDropped: false, children: new Map() }
      node.children.set(segment, next)
      node = next
    }
    node.isDropped = true
  }
  return root
}

function visitMembers(bytes: Uint8Array, members: readonly Member[], node: Node, edits: Edit[]): void {
  edits.push(...removals(members, ({ name }) => node.children.get(name)?.isDropped === true))
  for (const { name, valueStart } of members) {
    const child = node.children.get(name)
    if (child !== undefined && !child.isDropped) visitValue(bytes, valueStart, child, edits)
  }
}

function visitValue(bytes: Uint8Array, at: number, node: Node, edits: Edit[]): void {
  if (isObjectAt(bytes, at)) return visitMembers(bytes, membersOf(bytes, at), node, edits)
  const items = node.children.get('*')
  if (items !== undefined && isArrayAt(bytes, at)) for (const item of itemsOf(bytes, at)) visitValue(bytes, item, items, edits)
}

/**
 * The path of a field that an error names, such as `tools.11.custom.defer_loading`: indices become `*`, and names that
 * the document does not have on the way (the tags of a union, here `custom`) are passed over. Undefined when the
 * document has no such field.
 */
export function resolvePath(object: JsonObject, named: Path): Path | undefined {
  const { bytes } = object
  const path: string[] = []
  let at: number | undefined
  for (const [depth, segment] of named.entries()) {
    const isLast = depth === named.length - 1
    const within = at
    if (within !== undefined && isArrayAt(bytes, within)) {
      const item: number | undefined = /^\d+$/.test(segment) ? itemsOf(bytes, within)[Number(segment)] : undefined
      if (item === undefined || isLast) return undefined
      path.push('*')
      at = item
      continue
    }
    if (within !== undefined && !isObjectAt(bytes, within)) return undefined
    const members: readonly Member[] = within === undefined ? object.members : membersOf(bytes, within)
    const member = members.findLast(({ name }) => name === segment)
    if (member !== undefined) {
      path.push(segment)
      at = member.valueStart
      if (isLast) return path
    } else if (isLast || within === undefined) return undefined
  }
  return undefined
}
