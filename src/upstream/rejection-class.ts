// Which capability of a request an upstream has rejected, from the words it used. The client recovers by itself when it is
// told the class: it drops a thinking block, an image, a field, or compacts the conversation. A wrong class triggers the
// wrong recovery, so what is not surely one of them is none. Pure; the classes and their order are the client's.

/** Checked in this order; the first that matches is the class. */
const CLASSES: readonly { readonly name: string; readonly matches: (text: string) => boolean }[] = [
  { name: 'mid_conv_system', matches: rejectsSystemRole },
  { name: 'cache_control_field', matches: rejectsCacheControl },
  { name: 'thinking_signature', matches: rejectsThinkingSignature },
  { name: 'thinking_type:enabled', matches: (text) => /thinking\.type[^a-z]{1,8}enabled[^]*not supported/.test(text) || rejectsThinkingTag('enabled', text) },
  { name: 'thinking_type:adaptive', matches: (text) => /thinking\.type[^a-z]{1,8}adaptive[^]*not supported|\badaptive thinking is not supported/.test(text) || rejectsThinkingTag('adaptive', text) },
  { name: 'structured_outputs_unsupported', matches: (text) => text.includes('output_config.format: extra inputs are not permitted') },
  { name: 'effort_unsupported', matches: rejectsEffort },
  { name: 'media_budget', matches: (text) => text.includes('too much media') },
  { name: 'image_block', matches: rejectsImage },
  { name: 'document_block', matches: rejectsDocument },
  { name: 'prompt_too_long', matches: isTooLong },
  { name: 'max_tokens_context_overflow', matches: (text) => text.includes('input length and `max_tokens` exceed context limit') },
]

const MID_CONVERSATION_BETA = 'mid-conversation-system'
const MEDIA_PATH = (kind: string) => new RegExp(`messages[.[]\\d+[\\].]+content[.[]\\d+[\\].]+(?:tool_result[.[]content[.[]\\d+[\\].]+)?(?:${kind})`)
const IMAGE_PATH = MEDIA_PATH('image')
const DOCUMENT_PATH = MEDIA_PATH('document|pdf')
const IMAGE_WORDS = ['could not process image', 'image exceeds', 'image dimensions exceed', 'image does not match the provided media type', 'image cannot be empty', 'exceeds api limit', 'images exceed the api limit', 'unable to resize image', 'image file is empty']
const DOCUMENT_WORDS = ['could not process pdf', 'pdf pages', 'the pdf specified was not valid', 'the pdf specified is password protected', 'pdf cannot be empty', 'does not support pdf input', 'does not support pdfs']

/** The words come first; what follows is not read, however often it repeats them. */
const MAX_TEXT = 4000

/** The class of a refusal with this status and text, or undefined. `betas` are the values that the client sent. */
export function rejectionClass(status: number, refusal: string, betas: readonly string[]): string | undefined {
  const text = refusal.slice(0, MAX_TEXT).toLowerCase()
  if (status === 413) return isTooLong(text) || text.includes('context window') ? 'prompt_too_long' : undefined
  if (status !== 400) return undefined
  const found = CLASSES.find(({ matches }) => matches(text))
  if (found !== undefined) return found.name
  const beta = /anthropic[-_]beta/.test(text) ? betas.find((value) => refusal.includes(value)) : undefined
  return beta && `beta_header:${beta}`
}

/** What is too long in the words of whatever serves a model behind a cloud's name. */
const OVERFLOW_WORDS = ['prompt is too long', 'input is too long for requested model', 'maximum context length', 'context_length_exceeded', 'exceeds the context window', "longer than the model's context length", 'exceeds the maximum number of tokens allowed', 'input tokens exceed the configured limit', 'maximum prompt length', 'context window exceeds limit', 'reduce the length of the messages', 'context exceeds your deployment']

function isTooLong(text: string): boolean {
  return OVERFLOW_WORDS.some((words) => text.includes(words))
}

function rejectsSystemRole(text: string): boolean {
  const isAboutRole = /system messages?\b|role .{0,2}system/.test(text)
  return (
    (text.includes(MID_CONVERSATION_BETA) && /anthropic[-_]beta/.test(text)) ||
    /role .{0,2}system.{0,2} must (?:precede an|follow a)|use the top-level .{0,2}system.{0,2} parameter|text-only role .{0,2}system.{0,2} messages require/.test(text) ||
    (text.includes('unexpected role') && text.includes('input message role')) ||
    /(?:unknown variant .{0,2}system\b.{0,2}, expected|input should be) [\\'"`]{1,2}(?:user|assistant)\b.{0,2} or [\\'"`]{1,2}(?:user|assistant)\b/.test(text) ||
    (isAboutRole && (text.includes('cache_control') || (text.includes('not supported') && /role .{0,2}system/.test(text))))
  )
}

/** The field itself, by a schema: not its lifetime, not one in a place where it may not be. */
function rejectsCacheControl(text: string): boolean {
  if (!text.includes('cache_control') || /\bttl\b|empty text block|\bsystem\.\d+\.|tool_result/.test(text)) return false
  return /not permitted|cannot be set|unknown name|unknown field|unrecognized|additional propert/.test(text)
}

function rejectsThinkingSignature(quoted: string): boolean {
  const text = quoted.replaceAll('`', '')
  return (
    text.includes('signature in thinking block') ||
    text.includes('invalid data in redacted_thinking block') ||
    (text.includes('thinking.signature') && text.includes('field required')) ||
    (/thinking block|redacted_thinking/.test(text) && /cannot be modified|invalid signature/.test(text))
  )
}

/** How a model's schema says it that does not know the type. */
function rejectsThinkingTag(type: string, text: string): boolean {
  return new RegExp(`(?:^|[\\s"])thinking(?:\\.type)?: input tag '${type}' found`).test(text)
}

function rejectsEffort(text: string): boolean {
  if (text.includes('effort parameter') && text.includes('not support')) return true
  return text.includes('output_config') && /extra inputs are not permitted|requires a model that supports/.test(text)
}

/** A place in the document decides before words do. */
function rejectsImage(text: string): boolean {
  return IMAGE_PATH.test(text) || (!DOCUMENT_PATH.test(text) && IMAGE_WORDS.some((words) => text.includes(words)))
}

function rejectsDocument(text: string): boolean {
  return DOCUMENT_PATH.test(text) || DOCUMENT_WORDS.some((words) => text.includes(words))
}
