// The command line. Pure.

export type Command =
  | { name: 'serve'; config: string }
  | { name: 'demo'; port: number | undefined; directory: string | undefined }
  | { name: 'health'; url: string }
  | { name: 'config check' | 'config print'; config: string }
  | { name: 'models'; config: string; as: string | undefined; groups: readonly string[] | undefined; json: boolean }
  | { name: 'policy explain'; config: string; email: string | undefined; groups: readonly string[]; json: boolean }
  | { name: 'price'; model: string; upstream: string; usage: unknown; config: string | undefined; region: string | undefined; at: Date | undefined; json: boolean }
  | { name: 'audit verify'; config: string; from: string | undefined; to: string | undefined; anchors: readonly { day: string; seq: number; hash: string }[]; anchorsFile: string | undefined }
  | { name: 'config example' | 'version' | 'help' }

export type ParsedArguments = { ok: true; command: Command } | { ok: false; problem: string }

export const USAGE = `usage:
  gatehouse serve --config FILE          run the gateway
  gatehouse demo [--port N] [--data DIR] try everything on this machine, nothing else needed
  gatehouse config check --config FILE   say what is wrong with a configuration
  gatehouse config print --config FILE   print it with defaults applied and secrets hidden
  gatehouse config example               print a configuration to start from
  gatehouse models --config FILE [--as EMAIL] [--groups A,B] [--json]
                                         list the models, who may use them and where they go
  gatehouse policy explain --config FILE [--email EMAIL] [--groups A,B] [--json]
                                         say which policy is somebody's, why, and what it gives them
  gatehouse price --model M --upstream U --usage JSON [--config FILE] [--region R] [--at DATE] [--json]
                                         say step by step what the usage of an answer costs
  gatehouse audit verify --config FILE [--from DAY] [--to DAY] [--anchor DAY:SEQ:HASH,…] [--anchors LOG]
                                         prove that nothing of the stored audit trail was changed or removed
  gatehouse health [URL]                 exit 0 when the gateway at URL is ready
  gatehouse --version | --help
`

const FLAGS: Record<string, readonly string[]> = {
  serve: ['config'],
  demo: ['port', 'data'],
  health: [],
  'config check': ['config'],
  'config print': ['config'],
  'config example': [],
  models: ['config', 'as', 'groups', 'json'],
  'policy explain': ['config', 'email', 'groups', 'json'],
  'audit verify': ['config', 'from', 'to', 'anchor', 'anchors'],
  price: ['model', 'upstream', 'usage', 'config', 'region', 'at', 'json'],
}
/** What a command of two words begins with. */
const TWO_WORDS: ReadonlySet<string> = new Set(['config', 'policy', 'audit'])
/** Flags that stand alone. */
const SWITCHES: ReadonlySet<string> = new Set(['json'])
const DEFAULT_HEALTH_URL = 'http://127.0.0.1:8080'

/** Reads the words after the program's name. `--config FILE` alone means `serve`, as the reference's command line does. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  if (argv.includes('--help') || argv.includes('-h') || argv[0] === 'help') return { ok: true, command: { name: 'help' } }
  if (argv[0] === '--version' || argv[0] === '-v' || argv[0] === 'version') return { ok: true, command: { name: 'version' } }
  const { words, flags, problem } = splitFlags(argv)
  if (problem !== undefined) return { ok: false, problem }
  const name = TWO_WORDS.has(words[0] ?? '') ? words.slice(0, 2).join(' ') : (words[0] ?? (flags.has('config') ? 'serve' : ''))
  const known = FLAGS[name]
  if (known === undefined) return { ok: false, problem: name === '' ? 'a command is needed' : `unknown command "${name}"` }
  const stray = [...flags.keys()].find((flag) => !known.includes(flag))
  if (stray !== undefined) return { ok: false, problem: `"${name}" takes no --${stray}` }
  const extra = words[name === 'health' ? 2 : name.split(' ').length]
  if (extra !== undefined) return { ok: false, problem: `unexpected "${extra}"` }
  return toCommand(name, flags, words)
}

function toCommand(name: string, flags: ReadonlyMap<string, string>, words: readonly string[]): ParsedArguments {
  const config = flags.get('config')
  switch (name) {
    case 'serve':
    case 'config check':
    case 'config print':
      return config === undefined ? { ok: false, problem: `"${name}" needs --config FILE` } : { ok: true, command: { name, config } }
    case 'models':
    case 'policy explain': {
      if (config === undefined) return { ok: false, problem: `"${name}" needs --config FILE` }
      const flag = name === 'models' ? 'as' : 'email'
      const email = flags.get(flag)
      if (email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(email)) return { ok: false, problem: `--${flag} needs an e-mail address` }
      const groups = flags.get('groups')?.split(',').map((group) => group.trim()).filter((group) => group !== '')
      const json = flags.has('json')
      return { ok: true, command: name === 'models' ? { name, config, as: email, groups, json } : { name, config, email, groups: groups ?? [], json } }
    }
    case 'price':
      return toPrice(flags)
    case 'audit verify':
      return toVerify(flags)
    case 'demo': {
      const port = flags.get('port')
      if (port !== undefined && !/^\d{1,5}$/.test(port)) return { ok: false, problem: '--port needs a number' }
      return { ok: true, command: { name, port: port === undefined ? undefined : Number(port), directory: flags.get('data') } }
    }
    case 'health':
      return { ok: true, command: { name, url: words[1] ?? DEFAULT_HEALTH_URL } }
    default:
      return { ok: true, command: { name: 'config example' } }
  }
}

/** A day begins at midnight UTC; a time says its own zone. */
const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/

function toPrice(flags: ReadonlyMap<string, string>): ParsedArguments {
  const [model, upstream, usageText, config, region, date] = ['model', 'upstream', 'usage', 'config', 'region', 'at'].map((flag) => flags.get(flag))
  if (!model || !upstream || usageText === undefined) return { ok: false, problem: '"price" needs --model M, --upstream U and --usage JSON' }
  const usage = parseObject(usageText)
  if (usage === undefined) return { ok: false, problem: `--usage needs the usage of an answer as JSON, such as '{"input_tokens":1000,"output_tokens":200}'` }
  if (config !== undefined && region !== undefined) return { ok: false, problem: '--region is for use without --config, which says the region of its upstreams' }
  const at = date === undefined ? undefined : new Date(date)
  if (at !== undefined && (!DATE.test(date as string) || Number.isNaN(at.getTime()))) return { ok: false, problem: '--at needs a date such as 2026-11-22, or a time with its zone such as 2026-11-22T18:30:00Z' }
  return { ok: true, command: { name: 'price', model, upstream, usage, config, region, at, json: flags.has('json') } }
}

const DAY = /^\d{4}-\d{2}-\d{2}$/
const ANCHOR = /^(\d{4}-\d{2}-\d{2}):(\d{1,15}):([0-9a-fA-F]{64})$/

function toVerify(flags: ReadonlyMap<string, string>): ParsedArguments {
  const [config, from, to, anchor, anchorsFile] = ['config', 'from', 'to', 'anchor', 'anchors'].map((flag) => flags.get(flag))
  if (config === undefined) return { ok: false, problem: '"audit verify" needs --config FILE' }
  for (const [flag, day] of [['from', from], ['to', to]]) {
    if (day !== undefined && !(DAY.test(day) && new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day))) return { ok: false, problem: `--${flag} needs a day in UTC such as 2026-11-22` }
  }
  if (from !== undefined && to !== undefined && from > to) return { ok: false, problem: '--from is after --to' }
  const read = anchor?.split(',').map((text) => ANCHOR.exec(text.trim())) ?? []
  if (read.includes(null)) return { ok: false, problem: '--anchor needs what an audit.anchor event says, as DAY:SEQ:HASH' }
  const anchors = (read as RegExpExecArray[]).map(([, day = '', seq, hash = '']) => ({ day, seq: Number(seq), hash: hash.toLowerCase() }))
  return { ok: true, command: { name: 'audit verify', config, from, to, anchors, anchorsFile } }
}

function parseObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function splitFlags(argv: readonly string[]): { words: string[]; flags: Map<string, string>; problem?: string } {
  const words: string[] = []
  const flags = new Map<string, string>()
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string
    if (!word.startsWith('--')) {
      words.push(word)
      continue
    }
    const [flag = '', inline] = word.slice(2).split(/=(.*)/s)
    const isSwitch = SWITCHES.has(flag)
    if (isSwitch && inline !== undefined) return { words, flags, problem: `--${flag} takes no value` }
    const value = isSwitch ? '' : (inline ?? argv[++at])
    if (value === undefined) return { words, flags, problem: `--${flag} needs a value` }
    if (flags.has(flag)) return { words, flags, problem: `--${flag} is given twice` }
    flags.set(flag, value)
  }
  return { words, flags }
}
