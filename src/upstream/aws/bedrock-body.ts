// A Messages body as Bedrock's InvokeModel takes it, by edits on its bytes. Pure.
import type { Path } from '../../json/drop-paths.ts'
import { editObject } from '../../json/edit.ts'
import { isStringAt, textOf, type JsonObject } from '../../json/scan.ts'
import { refusedFields, refusedTopLevel } from '../fields.ts'
import type { Generation } from '../generation.ts'

export interface BedrockContext {
  /** The client's `anthropic-version`. */
  readonly version: string | null
  /** As they go there. */
  readonly betas: readonly string[]
  readonly generation: Generation | undefined
  readonly learned: readonly Path[]
}

const VERSION = 'bedrock-2023-05-31'
const NEW_VERSION = '2026-10-21'
/** The first models that take the new version; the older ones answer 400 to it, and its bodies are valid in the old one. */
const NEW_VERSION_SINCE = 407
/** Said by the path and by headers, or ours to say. */
const OWN = ['model', 'stream', 'anthropic_version', 'anthropic_beta']

export function bedrockVersion(version: string | null, generation: Generation | undefined): string {
  return version === NEW_VERSION && generation !== undefined && generation.number >= NEW_VERSION_SINCE ? NEW_VERSION : VERSION
}

/** The body of an invocation. No `anthropic_beta` rather than an empty one, which is refused. */
export function bedrockBody(body: JsonObject, context: BedrockContext, more: Readonly<Record<string, string>> = {}): Uint8Array {
  const { betas, generation, learned } = context
  return editObject(body, {
    drop: new Set([...OWN, ...refusedTopLevel('bedrock')]),
    add: {
      anthropic_version: JSON.stringify(bedrockVersion(context.version, generation)),
      ...(betas.length > 0 && { anthropic_beta: JSON.stringify(betas) }),
      ...more,
    },
    inside: refusedFields('bedrock', body, { betas, generation }, learned),
  })
}

/** CountTokens takes the body of an invocation as base64; `max_tokens` has to be there although nothing is generated. */
export function bedrockCountBody(body: JsonObject, context: BedrockContext): Uint8Array {
  const hasMaxTokens = body.members.some(({ name }) => name === 'max_tokens')
  const inner = bedrockBody(body, context, hasMaxTokens ? {} : { max_tokens: '1' })
  return Buffer.from(`{"input":{"invokeModel":{"body":"${Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength).toString('base64')}"}}}`)
}

/** The foundation model of an inference profile's id: CountTokens takes no other. */
export function foundationModel(modelId: string): string {
  return modelId.replace(/^(?:global|us|eu|au|jp|in|apac|us-gov)\.(?=anthropic\.)/, '')
}

/** One path segment: an ARN has slashes. `:` stays as the SDKs send it. */
export function modelSegment(modelId: string): string {
  return encodeURIComponent(modelId).replaceAll('%3A', ':')
}

/** `{"inputTokens":N}` in the words of the Messages API; undefined when it says something else. */
export function countAnswer(answer: Uint8Array): Uint8Array | undefined {
  try {
    const { inputTokens } = JSON.parse(Buffer.from(answer).toString('utf8')) as { inputTokens?: unknown }
    return Number.isSafeInteger(inputTokens) ? Buffer.from(JSON.stringify({ input_tokens: inputTokens })) : undefined
  } catch {
    return undefined
  }
}

/** The text of a top-level member, for what has to be read of a body. */
export function textMember({ bytes, members }: JsonObject, name: string): string | undefined {
  const member = members.find((one) => one.name === name)
  return member !== undefined && isStringAt(bytes, member.valueStart) ? textOf(bytes, member.valueStart, member.end) : undefined
}
