// The validation of Messages bodies on the clouds that transform them, in the words Claude Code recognises:
// `<path>: Extra inputs are not permitted`, with the tag of a union as a step of the path (`tools.0.custom.defer_loading`).
import type { ModelFacts } from './model-facts.ts'

export interface BodyRules extends Pick<ModelFacts, 'cacheTtl' | 'effort' | 'format' | 'adaptiveThinking' | 'systemMessages'> {
  /** Top-level fields. */
  fields: ReadonlySet<string>
  required: readonly string[]
  /** The betas of this request: some fields need theirs. */
  betas: ReadonlySet<string>
  /** Tools the service runs itself. */
  serverTools: RegExp
  /** Tools with `strict`. */
  strict: boolean
  /** Nothing but name, description and schema, as Bedrock's count-tokens has it. */
  bareTools?: boolean
}

type Json = Record<string, any>

export const MESSAGE_FIELDS = ['messages', 'max_tokens', 'system', 'stop_sequences', 'temperature', 'top_p', 'top_k', 'tools', 'tool_choice', 'thinking', 'metadata', 'output_config', 'context_management', 'user_profile_id']

const CLIENT_TOOLS = /^(custom|bash_\d+|text_editor_\d+|memory_\d+|computer_\d+|tool_search_tool_(regex|bm25)(_\d+)?)$/
const TOOL_SEARCH = 'tool-search-tool-2025-10-19'
const FINE_GRAINED = 'fine-grained-tool-streaming-2025-05-14'

/** The first complaint about a body, or undefined. */
export function complaint(body: Json, rules: BodyRules): string | undefined {
  return complaints(body, rules).next().value ?? undefined
}

const extra = (path: string) => `${path}: Extra inputs are not permitted`

function* complaints(body: Json, rules: BodyRules): Generator<string, undefined> {
  for (const name of rules.required) if (!(name in body)) yield `${name}: Field required`
  for (const name of Object.keys(body)) if (!rules.fields.has(name)) yield extra(name)
  yield* unknownKeys('metadata', body.metadata, ['user_id'])
  yield* outputConfig(body, rules)
  if ('context_management' in body && ![...rules.betas].some((beta) => /^(context-management|compact)-/.test(beta))) yield extra('context_management')
  if (body.thinking?.type === 'adaptive' && !rules.adaptiveThinking) {
    yield "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'"
  }
  if (Array.isArray(body.system)) for (const [at, block] of body.system.entries()) yield* cacheControl(`system.${at}`, block, rules)
  for (const [at, tool] of (body.tools ?? []).entries()) yield* toolComplaints(`tools.${at}`, tool, rules)
  for (const [at, message] of (body.messages ?? []).entries()) {
    if (message.role === 'system' && !rules.systemMessages) yield `messages.${at}.role: Input should be 'user' or 'assistant'`
    if (Array.isArray(message.content)) yield* contentComplaints(`messages.${at}.content`, message.content, rules)
  }
  return undefined
}

function* outputConfig({ output_config: config }: Json, rules: BodyRules): Generator<string> {
  if (config === undefined) return
  if (!rules.effort && !rules.format) yield extra('output_config')
  yield* unknownKeys('output_config', config, [...(rules.effort ? ['effort'] : []), ...(rules.format ? ['format'] : [])])
}

function* toolComplaints(path: string, tool: Json, rules: BodyRules): Generator<string> {
  const type = tool.type ?? 'custom'
  if (!CLIENT_TOOLS.test(type) && !rules.serverTools.test(type)) {
    yield `${path}: Input tag '${type}' found using 'type' does not match any of the expected tags: 'bash_20250124', 'custom', 'memory_20250818', 'text_editor_20250124', 'text_editor_20250728', 'tool_search_tool_bm25', 'tool_search_tool_regex'`
  }
  if (type.startsWith('tool_search_tool') && !rules.betas.has(TOOL_SEARCH)) yield extra(`${path}.${type}`)
  if (rules.bareTools !== true) yield* cacheControl(`${path}.${type}`, tool, rules)
  if (type !== 'custom') return
  const known = ['type', 'name', 'description', 'input_schema']
  if (rules.bareTools !== true) {
    known.push('cache_control')
    if (rules.strict) known.push('strict')
    if (rules.betas.has(TOOL_SEARCH)) known.push('defer_loading', 'input_examples')
    if (rules.betas.has(FINE_GRAINED)) known.push('eager_input_streaming')
  }
  yield* unknownKeys(`${path}.custom`, tool, known)
}

function* contentComplaints(path: string, blocks: Json[], rules: BodyRules): Generator<string> {
  for (const [at, block] of blocks.entries()) {
    const here = `${path}.${at}.${block.type}`
    yield* cacheControl(here, block, rules)
    const source = block.source?.type
    if (source === 'url' || source === 'file') yield `${here}.source: Input tag '${source}' found using 'type' does not match any of the expected tags: 'base64'`
    if (block.type === 'tool_result' && Array.isArray(block.content)) yield* contentComplaints(`${here}.content`, block.content, rules)
  }
}

function* cacheControl(path: string, { cache_control: control }: Json, { cacheTtl }: BodyRules): Generator<string> {
  yield* unknownKeys(`${path}.cache_control.${control?.type ?? 'ephemeral'}`, control, cacheTtl ? ['type', 'ttl'] : ['type'])
}

function* unknownKeys(path: string, value: unknown, known: readonly string[]): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) if (!known.includes(key)) yield extra(`${path}.${key}`)
}
