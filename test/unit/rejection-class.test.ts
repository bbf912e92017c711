import { describe, expect, test } from 'bun:test'
import { rejectionClass } from '../../src/upstream/rejection-class.ts'

// The class decides what the client takes out of its next request, so each is told by words that mean nothing else.
describe('a refusal with status 400', () => {
  test.each([
    ['mid_conv_system', "messages.3.role: Input should be 'user' or 'assistant'"],
    ['mid_conv_system', 'messages.1: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.'],
    ['mid_conv_system', "role 'system' is not supported on this model"],
    ['mid_conv_system', "role 'system' must follow a user message"],
    ['mid_conv_system', 'use the top-level `system` parameter'],
    ['mid_conv_system', 'unknown variant `system`, expected `user` or `assistant`'],
    ['mid_conv_system', 'unknown variant "system", expected "user" or "assistant"'],
    ['mid_conv_system', 'system messages cannot carry cache_control'],
    ['mid_conv_system', 'Unexpected value(s) `mid-conversation-system-2026-05-01` for the `anthropic-beta` header'],
    ['cache_control_field', 'messages.0.content.0.cache_control: Extra inputs are not permitted'],
    ['cache_control_field', 'Unknown name "cache_control" at messages[0]: Cannot find field.'],
    ['thinking_signature', 'messages.1.content.0: Invalid `signature` in `thinking` block'],
    ['thinking_signature', 'messages.1.content.0.thinking.signature: Field required'],
    ['thinking_signature', 'messages.1.content.0: Invalid `data` in `redacted_thinking` block'],
    ['thinking_signature', '`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified'],
    ['thinking_type:enabled', '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort".'],
    ['thinking_type:enabled', 'thinking.type: enabled is not supported for this model. Use adaptive.'],
    ['thinking_type:enabled', "thinking: Input tag 'enabled' found using 'type' does not match any of the expected tags: 'adaptive', 'disabled'"],
    ['thinking_type:adaptive', 'thinking.type: adaptive is not supported for this model'],
    ['thinking_type:adaptive', 'Adaptive thinking is not supported on this model.'],
    ['thinking_type:adaptive', "thinking.type: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'"],
    ['structured_outputs_unsupported', 'output_config.format: Extra inputs are not permitted'],
    ['effort_unsupported', 'output_config: Extra inputs are not permitted'],
    ['effort_unsupported', 'output_config.effort: Extra inputs are not permitted'],
    ['effort_unsupported', 'This model does not support the effort parameter.'],
    ['media_budget', 'Too much media: 0 document pages + 101 images > 100'],
    ['image_block', 'messages.3.content.0.image.source.base64.data: At least one of the image dimensions exceed max allowed size: 8000 pixels'],
    ['image_block', 'messages[0].content[1].image: something'],
    ['image_block', 'messages.2.content.0.tool_result.content.1.image.source.base64: something'],
    ['image_block', 'Could not process image'],
    ['document_block', 'messages.0.content.2.document.source: image exceeds 5 MB'],
    ['document_block', 'Could not process PDF'],
    ['document_block', 'This model does not support PDF input'],
    ['prompt_too_long', 'prompt is too long: 210000 tokens > 200000 maximum'],
    ['prompt_too_long', 'Input is too long for requested model.'],
    ['max_tokens_context_overflow', 'input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000'],
    ['beta_header:b-1', 'Unexpected value(s) `b-1` for the `anthropic-beta` header'],
    ['beta_header:b-2', 'anthropic_beta: unsupported b-2'],
  ])('is %s: %s', (name, text) => {
    expect(rejectionClass(400, text, ['a-1', 'b-1', 'b-2'])).toBe(name)
    expect(rejectionClass(400, JSON.stringify({ message: text }), ['a-1', 'b-1', 'b-2'])).toBe(name)
  })

  test.each([
    ['system.1.cache_control.ephemeral.scope: Extra inputs are not permitted'],
    ['messages.0.content.0.cache_control.ttl: Extra inputs are not permitted'],
    ['messages.0.content.0.tool_result.cache_control: Extra inputs are not permitted'],
    ['messages.0.content.0.cache_control: cache_control cannot be set for an empty text block'],
    ['tools.0.custom.defer_loading: Extra inputs are not permitted'],
    ['thinking.adaptive.display: Input should be \'x\''],
    ['max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens'],
    ['tools.1: Input tag \'thinking\' found using \'type\' does not match any of the expected tags'],
    ['invalid beta flag'],
    ['Unexpected value(s) `c-3` for the `anthropic-beta` header'],
    ['b-1 is not available'],
    [''],
  ])('is none that the client could recover from: %s', (text) => {
    expect(rejectionClass(400, text, ['b-1'])).toBeUndefined()
  })

  test('about a place in a document is about the document, whatever words follow', () => {
    expect(rejectionClass(400, 'messages.0.content.0.document: image dimensions exceed', [])).toBe('document_block')
  })
})

describe('the status', () => {
  test.each(['prompt is too long: 3 > 2', 'Prompt is too long', 'exceeds the context window', 'Input is too long for requested model.'])('413 with %j is a prompt that is too long', (text) => {
    expect(rejectionClass(413, text, [])).toBe('prompt_too_long')
  })

  test.each(['Request exceeds the maximum size', 'Could not process PDF'])('413 with %j is none', (text) => {
    expect(rejectionClass(413, text, [])).toBeUndefined()
  })

  test.each([401, 403, 404, 422, 429, 500])('%i is never one', (status) => {
    expect(rejectionClass(status, 'prompt is too long', [])).toBeUndefined()
  })
})

test('words after the first four thousand characters are not read, so a refusal that repeats itself costs nothing', () => {
  expect(rejectionClass(400, `${'x'.repeat(3900)} prompt is too long`, [])).toBe('prompt_too_long')
  expect(rejectionClass(400, `${'thinking.type.enabled '.repeat(200)} not supported`, [])).toBeUndefined()
})
