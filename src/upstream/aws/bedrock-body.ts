// A Messages body as Bedrock's InvokeModel takes it, by edits on its bytes. Pure.
import type { Path } from '../../json/drop-paths.ts'
import { editObject } from '../../json/edit.ts'
import { isArrayAt, itemsOf, scanObject, type JsonObject } from '../../json/scan.ts'
import { refusedFields } from '../fields.ts'
import type { Generation } from '../../models/generation.ts'
import { bufferOf } from '../../std/buffer-of.ts'

export interface BedrockContext {
  /** The client's `anthropic-version`. */
  readonly version: string | null
  /** As they go there. */
  readonly betas: readonly string[]
  readonly generation: Generation | undefined
  readonly learned: readonly Path[]
}

/** How the names of members begin that Bedrock has besides the Messages API's. */
export const OWN_MEMBERS = 'amazon-bedrock-'
const VERSION = 'bedrock-2023-05-31'
const NEW_VERSION = '2026-10-21'
/** The first models that take the new version; the older ones answer 400 to it, and its bodies are valid in the old one. */
const NEW_VERSION_SINCE = 407
/** Said by the path and by headers, or ours to say. */
const OWN = ['model', 'stream', 'anthropic_version', 'anthropic_beta']

export function bedrockVersion(version: string | null, generation: Generation | undefined): string {
  return version === NEW_VERSION && generation !== undefined && generation.number >= NEW_VERSION_SINCE ? NEW_VERSION : VERSION
}

/** The body of an invocation, `more` in the place of members of these names. No `anthropic_beta` rather than an empty one, which is refused. */
export function bedrockBody(body: JsonObject, context: BedrockContext, more: Readonly<Record<string, string>> = {}, without: readonly string[] = []): Uint8Array {
  const { betas, generation, learned } = context
  const { drop, inside } = refusedFields('bedrock', body, { betas, generation }, learned)
  return editObject(body, {
    drop: new Set([...OWN, ...ownOfBedrock(body), ...drop, ...Object.keys(more), ...without]),
    add: {
      anthropic_version: JSON.stringify(bedrockVersion(context.version, generation)),
      ...(betas.length > 0 && { anthropic_beta: JSON.stringify(betas) }),
      ...more,
    },
    inside,
  })
}

/** Bedrock's own members say what a guardrail looks at, and how: that is the operator's to say. */
function ownOfBedrock({ members }: JsonObject): string[] {
  return members.filter(({ name }) => name.startsWith(OWN_MEMBERS)).map(({ name }) => name)
}

/** An answer without what Bedrock puts beside it: metrics, and the trace of a guardrail with its name and its words. */
export function withoutOwnMembers(answer: Uint8Array): Uint8Array {
  const scan = scanObject(answer)
  if (!scan.ok) return answer
  const object = { bytes: answer, members: scan.members }
  return editObject(object, { drop: new Set(ownOfBedrock(object)) })
}

/** Of a tool, what CountTokens has no place for; it weighs nothing. */
const UNCOUNTED: readonly Path[] = ['cache_control', 'strict'].map((name) => ['tools', '*', name])

/**
 * CountTokens takes the body of an invocation as base64: with `max_tokens` above any budget for thinking although nothing
 * is generated, and without an empty list of tools.
 */
export function bedrockCountBody(body: JsonObject, context: BedrockContext): Uint8Array {
  const counted = { ...context, learned: [...context.learned, ...UNCOUNTED] }
  const inner = bedrockBody(body, counted, { max_tokens: String(thinkingBudget(body) + 1) }, hasEmptyTools(body) ? ['tools', 'tool_choice'] : [])
  return Buffer.from(`{"input":{"invokeModel":{"body":"${bufferOf(inner).toString('base64')}"}}}`)
}

function hasEmptyTools({ bytes, members }: JsonObject): boolean {
  const tools = members.find(({ name }) => name === 'tools')
  return tools !== undefined && isArrayAt(bytes, tools.valueStart) && itemsOf(bytes, tools.valueStart).length === 0
}

/** 0 without one. */
function thinkingBudget({ bytes, members }: JsonObject): number {
  const thinking = members.find(({ name }) => name === 'thinking')
  const value = thinking && (JSON.parse(bufferOf(bytes, thinking.valueStart, thinking.end).toString('utf8')) as { budget_tokens?: unknown } | null)
  const budget = value?.budget_tokens
  return Number.isSafeInteger(budget) && (budget as number) > 0 ? (budget as number) : 0
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
    return Number.isSafeInteger(inputTokens) && (inputTokens as number) >= 0 ? Buffer.from(JSON.stringify({ input_tokens: inputTokens })) : undefined
  } catch {
    return undefined
  }
}
