/** Groups that some rule names: it may change while the program runs. */
export interface RelevantGroups {
  has(group: string): boolean
}

/**
 * The groups that go into a token of bounded size. Everybody's groups fit as they are, until they do not: then the
 * groups some rule names come first, and the rest as far as there is room. Order is kept.
 */
export function fittingGroups(groups: readonly string[], relevant: RelevantGroups, maxCharacters: number): string[] {
  // Base64url grows the JSON by a third.
  const size = (group: string) => Math.ceil(((Buffer.byteLength(JSON.stringify(group)) + 1) * 4) / 3)
  let room = maxCharacters
  const kept = new Set<string>()
  for (const group of [...groups.filter((name) => relevant.has(name)), ...groups]) {
    if (kept.has(group) || size(group) > room) continue
    room -= size(group)
    kept.add(group)
  }
  return groups.filter((group) => kept.has(group))
}
