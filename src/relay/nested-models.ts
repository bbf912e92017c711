// Models that a request names besides its own: those to fall back to, those that a tool of the API's works with, and wherever
// else the API may come to take one. What runs on the company's account has to be the person's to use. Pure.
import { GatewayError } from '../errors.ts'
import { findMembers, outerOf, type FoundMember } from '../json/find-members.ts'
import { fieldsOf, isArrayAt, isStringAt, itemsOf, stringAt, type JsonObject, type MarkedObject } from '../json/scan.ts'
import { OTHERS_WORDS } from './others-words.ts'

/** Lists whose items run a model: themselves, or by a member `model`. */
const LISTS = ['fallbacks', 'tools']
/** More than any request has reason for, few enough to be judged one by one. */
const MOST = 1000
const BRACE_OPEN = 0x7b

export interface NestedModel {
  /** As errors name it: `fallbacks.0.model`. */
  readonly place: string
  /** As it is spelled. */
  readonly name: string
  /** The API runs it; elsewhere it may be a word of no effect. */
  readonly isRun: boolean
}

/** Every model that is named so. Where a name is given twice, both count. Throws GatewayError `invalid_request` where there are more than a thousand. */
export function nestedModels({ bytes, members, marks }: MarkedObject): readonly NestedModel[] {
  // Few requests name a second model: the walk costs as much as all that had to be done to check the body.
  return limited([...limited(fallbacksByName(bytes, members)), ...(marks.nestedModel ? modelMembers(bytes, members) : [])])
}

function fallbacksByName(bytes: Uint8Array, members: JsonObject['members']): NestedModel[] {
  return members.filter(({ name, valueStart }) => name === 'fallbacks' && isArrayAt(bytes, valueStart)).flatMap((list) =>
    itemsOf(bytes, list.valueStart).flatMap((at, item) => (isStringAt(bytes, at) ? [{ place: `fallbacks.${item}`, name: stringAt(bytes, at), isRun: true }] : [])),
  )
}

function modelMembers(bytes: Uint8Array, members: JsonObject['members']): NestedModel[] {
  const own = members.filter(({ name }) => name === 'model').length
  const found = findMembers(bytes, bytes.indexOf(BRACE_OPEN), { name: 'model', except: OTHERS_WORDS, most: own + MOST + 1 })
  const isRecord = recordsIn(bytes, found)
  return limited(found.filter(({ path }) => path.length > 1)).flatMap(({ path, valueStart }) => {
    if (!isStringAt(bytes, valueStart) || isRecord(path)) return []
    const keys = path.map(({ key }) => key)
    return [{ place: keys.join('.'), name: stringAt(bytes, valueStart), isRun: keys.length === 3 && LISTS.includes(keys[0] as string) }]
  })
}

/** Also where none of them is a name: a search that ended early has not seen the rest. */
function limited<item>(models: readonly item[]): readonly item[] {
  if (models.length > MOST) throw new GatewayError('invalid_request', `the request names more than ${MOST} models`)
  return models
}

/**
 * Knows the blocks of answers that tell which model another one gave way to, in the history that the client sends back. Each
 * block is looked at once, and none that holds another: a thousand members of one large block, or blocks in each other, would
 * be a thousand passes over it.
 */
function recordsIn(bytes: Uint8Array, found: readonly FoundMember[]): (path: FoundMember['path']) => boolean {
  const outer = outerOf(found, 2)
  const known = new Map<number, boolean>()
  return (path) => {
    const block = path.at(-2)
    if ((block?.key !== 'from' && block?.key !== 'to') || outer.has(block.open)) return false
    const isRecord = known.get(block.open) ?? fieldsOf(bytes, block.open, ['type']).some(({ name, valueStart }) => name === 'type' && isStringAt(bytes, valueStart) && stringAt(bytes, valueStart) === 'fallback')
    known.set(block.open, isRecord)
    return isRecord
  }
}
