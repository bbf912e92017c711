// Edits of a request body on byte ranges. Values are never written anew: numbers beyond 2^53 and `1.0` stay as they came.
import type { Member } from './scan.ts'

const encoder = new TextEncoder()

/**
 * The body as it goes upstream: its last `model` named `model`, members in `dropped` and every earlier duplicate of a
 * name left out, so that whoever reads it reads what was checked here. The very same buffer when nothing changes.
 */
export function spliceBody(bytes: Uint8Array, members: readonly Member[], model: string, modelAsked: string, dropped: ReadonlySet<string>): Uint8Array {
  const last = new Map(members.map((member, at) => [member.name, at]))
  const kept = members.filter((member, at) => last.get(member.name) === at && !dropped.has(member.name))
  const modelMember = kept.find(({ name }) => name === 'model')
  const renames = model !== modelAsked && modelMember !== undefined
  if (kept.length === members.length) {
    if (!renames) return bytes
    return Buffer.concat([bytes.subarray(0, modelMember.valueStart), encoder.encode(JSON.stringify(model)), bytes.subarray(modelMember.end)])
  }
  const parts: Uint8Array[] = [encoder.encode('{')]
  for (const member of kept) {
    if (parts.length > 1) parts.push(encoder.encode(','))
    if (member === modelMember) parts.push(bytes.subarray(member.start, member.valueStart), encoder.encode(JSON.stringify(model)))
    else parts.push(bytes.subarray(member.start, member.end))
  }
  return Buffer.concat([...parts, encoder.encode('}')])
}
