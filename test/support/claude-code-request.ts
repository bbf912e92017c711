// A request as Claude Code 2.1.330 sends it at the start of a conversation: some 90 KB for a few words. Made up in its words,
// like the client's in its shape.
import { createRandom } from './clouds/random.ts'

export interface ClaudeCodeOptions {
  model?: string
  stream?: boolean
  /** The first message of the person. */
  words?: string
}

/** Signed in, on a model with adaptive thinking; with what such a client asks for besides where it may. */
export const CLAUDE_CODE_BETAS = [
  'claude-code-20250219',
  'interleaved-thinking-2025-05-14',
  'thinking-token-count-2026-05-13',
  'tool-search-tool-2025-10-19',
  'effort-2025-11-24',
  'context-management-2025-06-27',
  'prompt-caching-scope-2026-01-05',
  'thinking-display-updates-2026-08-18',
]

/** By `ANTHROPIC_BASE_URL`. */
export const BASE_URL_BETAS = [
  'interleaved-thinking-2025-05-14',
  'context-management-2025-06-27',
  'claude-code-20250219',
  'thinking-token-count-2026-05-13',
  'advanced-tool-use-2025-11-20',
  'effort-2025-11-24',
  'per-turn-control-2026-07-01',
  'mid-conversation-tool-changes-2026-07-01',
]

/** The client's own, credential and framing left out. */
export const CLAUDE_CODE_HEADERS: Readonly<Record<string, string>> = {
  accept: 'application/json',
  'content-type': 'application/json',
  'user-agent': 'claude-cli/2.1.330 (external, sdk-cli)',
  'x-claude-code-session-id': 'a7f5f2a2-2f43-4a8e-9a53-0c4d1c6d1b11',
  'x-stainless-arch': 'x64',
  'x-stainless-lang': 'js',
  'x-stainless-os': 'Linux',
  'x-stainless-package-version': '0.128.0',
  'x-stainless-retry-count': '0',
  'x-stainless-runtime': 'node',
  'x-stainless-runtime-version': 'v26.12.1',
  'x-stainless-timeout': '600',
  'anthropic-beta': CLAUDE_CODE_BETAS.join(','),
  'anthropic-dangerous-direct-browser-access': 'true',
  'anthropic-version': '2023-06-01',
  'x-app': 'cli',
  'accept-encoding': 'gzip, deflate, br, zstd',
}

const TOOLS = ['Agent', 'AskUserQuestion', 'Bash', 'Edit', 'Glob', 'Grep', 'ListAgents', 'NotebookEdit', 'Read', 'ReportFindings', 'ScheduleWakeup', 'Skill', 'TaskCreate', 'TaskList', 'ToolSearch', 'WebFetch', 'Workflow', 'mcp__tracker__create_issue', 'mcp__tracker__search', 'Write']
/** As rich in quotes, escapes and letters beyond ASCII as what the client sends: 11 escapes and 26 quotes in a kilobyte. */
const PLAIN = 'the tool file path runs reads never when result session approval of with this command should be used only after every change that user asked for because output may contain several lines which are shown before the next step of a task and nothing else is written to disk unless somebody has said so in their own words or by a setting of the project'.split(' ')
const WORDS = [...PLAIN, ...PLAIN, '`--flag`', 'a "quoted" part', 'naïve', '→', 'and\n- then', 'first\nsecond', 'C:\\dir', '{"json": true}', 'done.\n\n']

/** Of before 4.6: thinks within a budget, has no effort, takes no messages of the system. */
const OLDER = 'claude-haiku-4-5'

/** The JSON text of the body; the same options give the same bytes. */
export function claudeCodeBody({ model = 'claude-opus-4-8', stream = true, words = 'say pong' }: ClaudeCodeOptions = {}): string {
  const isOlder = model === OLDER
  const random = createRandom(20_2611)
  const prose = (length: number) => {
    let text = ''
    while (text.length < length) text += `${random.oneOf(WORDS)} `
    return text.slice(0, length)
  }
  const tools = TOOLS.map((name, at) => ({
    name,
    description: prose(900 + random.between(0, 2200)),
    input_schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        file_path: { description: prose(60), type: 'string' },
        limit: { description: prose(60), type: 'integer', exclusiveMinimum: 0, maximum: 9_007_199_254_740_991 },
        // Names of the protocol's own fields, which here are a tool's arguments.
        cache_control: { type: 'object', properties: { scope: { type: 'string' }, ttl: { type: 'string' } } },
        output_config: { type: 'string', enum: ['content', 'files_with_matches'] },
      },
      required: ['file_path'],
      additionalProperties: false,
    },
    ...(name.startsWith('mcp__') && { defer_loading: true }),
    ...(at === TOOLS.length - 1 && { cache_control: { type: 'ephemeral', ttl: '1h' } }),
  }))
  return JSON.stringify({
    model,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: `<system-reminder>\n${prose(581)}\n</system-reminder>` },
          { type: 'text', text: words },
        ],
      },
      ...(isOlder ? [] : [{ role: 'system', content: [{ type: 'text', text: prose(9710), cache_control: { type: 'ephemeral' } }] }]),
    ],
    system: [
      { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.330.abc; cc_entrypoint=sdk-cli; cch=00000;' },
      { type: 'text', text: 'You are a coding agent, running within a software development kit.', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: prose(28_170), cache_control: { type: 'ephemeral', ttl: '1h', scope: 'global' } },
    ],
    tools,
    metadata: { user_id: JSON.stringify({ device_id: '3f'.repeat(32), account_uuid: '', session_id: 'a7f5f2a2-2f43-4a8e-9a53-0c4d1c6d1b11' }) },
    max_tokens: 64_000,
    thinking: isOlder ? { type: 'enabled', budget_tokens: 31_999, display: 'omitted' } : { type: 'adaptive', display: 'updates' },
    ...(!isOlder && { output_config: { effort: 'high' } }),
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    stream,
  })
}
