// Models that a request names besides its own: those to fall back to, and those that a tool of the API's works with. Each
// runs on the company's account, so each has to be the person's to use. Pure.
import { fieldsOf, isArrayAt, isObjectAt, isStringAt, itemsOf, textOf, type JsonObject } from '../json/scan.ts'

/** Lists whose items may name a model: themselves, or by a member `model`. */
const LISTS = ['fallbacks', 'tools']
const MODEL = Buffer.from('"model"')
const ESCAPE = Buffer.from('\\u00')

export interface NestedModel {
  /** As errors name it: `fallbacks.0.model`. */
  readonly place: string
  /** As it is spelled. */
  readonly name: string
}

/** Every model that is named so. Where a name is given twice, both count. */
export function nestedModels({ bytes, members }: JsonObject): NestedModel[] {
  return members.filter(({ name, valueStart }) => LISTS.includes(name) && isArrayAt(bytes, valueStart)).flatMap((list) => {
    // Tools are most of a request and hardly ever name a model: a native search costs microseconds, the walk a hundred.
    if (list.name === 'tools' && !mayName(bytes, list.valueStart, list.end)) return []
    return itemsOf(bytes, list.valueStart).flatMap((at, item) => modelsAt(bytes, at, `${list.name}.${item}`))
  })
}

function mayName(bytes: Uint8Array, start: number, end: number): boolean {
  const list = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
  // An escape can spell the name so that a search for its letters does not find it.
  return list.includes(MODEL) || list.includes(ESCAPE)
}

function modelsAt(bytes: Uint8Array, at: number, place: string): NestedModel[] {
  if (isStringAt(bytes, at)) return [{ place, name: textAt(bytes, at) }]
  if (!isObjectAt(bytes, at)) return []
  return fieldsOf(bytes, at, ['model']).flatMap(({ name, valueStart, end }) => (name === 'model' && isStringAt(bytes, valueStart) ? [{ place: `${place}.model`, name: textOf(bytes, valueStart, end) }] : []))
}

/** Of a string in an array, which ends at its closing quote. */
function textAt(bytes: Uint8Array, at: number): string {
  let end = at + 1
  while (bytes[end] !== 0x22) end += bytes[end] === 0x5c ? 2 : 1
  return textOf(bytes, at, end + 1)
}
