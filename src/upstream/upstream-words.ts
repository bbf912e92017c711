// What an upstream says of a request that it refused, for the operator's log. It is written from what the upstream sent
// alone: the request is not read, however large it is.
import { isJsonObject, type JsonObject } from '../std/json-object.ts'
import { readRefusal, type SaidRefusal } from './cloud-errors.ts'
import { isWord, knownParts } from './known-parts.ts'
import type { Refusal } from './upstream.ts'

/** More than an error says. */
const MOST_BYTES = 64 * 1024
const TITLE = /<title>([^<]{1,200})<\/title>/i

/** `429 rate_limit_error (req_…): the message`, with `[…]` for what might be somebody's; `names` are ours. */
export function upstreamWords({ status, headers, body }: Refusal, requestId: string | undefined, names: readonly string[] = []): string {
  const said = readRefusal(body.subarray(0, MOST_BYTES))
  const kinds = new Set([headers.get('x-amzn-errortype')?.split(':')[0], ...kindsIn(said.members)].filter((kind) => kind !== undefined && isKind(kind)))
  const id = requestId !== undefined && /^[\w-]{1,80}$/.test(requestId) ? [`(${requestId})`] : []
  return withText([status, ...kinds, ...id].join(' '), knownParts(messageOf(said), [...names, String(status)]))
}

/** The same of an exception in mid-stream, by its name and what its frame says. */
export function exceptionWords(name: string, payload: Uint8Array, message: string): string {
  return withText(`${isKind(name) ? name : 'an exception'} in mid-stream`, knownParts(`${messageOf(readRefusal(payload.subarray(0, MOST_BYTES)))} ${message}`))
}

function withText(head: string, text: string): string {
  return text === '' ? head : `${head}: ${text}`
}

/** Out of a second envelope where a cloud put the model's own error in its message. */
function messageOf({ text }: SaidRefusal): string {
  const inner = text.startsWith('{') ? readRefusal(Buffer.from(text)).text : text
  return TITLE.exec(inner)?.[1] ?? inner
}

/** What the error calls itself: its type (Messages API, AWS), its status and reasons (Google), its codes (Azure). */
function kindsIn(members: JsonObject): string[] {
  const error = objectOf(members.error)
  const details = Array.isArray(error.details) ? error.details.slice(0, 4).map((detail) => objectOf(detail).reason) : []
  return [error.type, error.status, error.code, objectOf(error.innererror).code, ...details, textOf(members.__type)?.split('#').at(-1)].flatMap((kind) => textOf(kind) ?? [])
}

/** A type that is new has a name of the usual form. */
function isKind(kind: string): boolean {
  return /^[A-Za-z]{1,60}(?:Exception|Error|_error)$/.test(kind) || (/^[A-Za-z_]{1,80}$/.test(kind) && isWord(kind))
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function objectOf(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}
