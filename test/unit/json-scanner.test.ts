// The scan in WebAssembly against JSON.parse, and its marks against a tokenizer of one regular expression.
import { describe, expect, jest, test } from 'bun:test'
import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { compileScanner, SCANNER } from '../../scripts/wasm.ts'
import { membersOf, scanObject, type Scan } from '../../src/json/scan.ts'
import { createScanner, type Marks, type ScanModule } from '../../src/json/scanner.ts'
import { createRandom } from '../support/clouds/random.ts'
import { randomJson, randomObject } from '../support/random-json.ts'

const NO_MARKS: Marks = { hour: false, cacheControl: false, url: false, fileId: false, nestedModel: false, data: false }
const ALIGNMENTS = Array.from({ length: 16 }, (_, at) => at)

function marksOf(text: string): Marks {
  const scan = scanObject(Buffer.from(text))
  if (!scan.ok) throw new Error(`refused: ${text}`)
  return scan.marks
}

/** What JSON.parse makes of it, without the limits, which none of these reaches. */
function expected(bytes: Uint8Array): { verdict: true | string; parsed?: Record<string, unknown> } {
  if (!isUtf8(bytes)) return { verdict: 'invalid_json' }
  try {
    const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as unknown
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { verdict: true, parsed: parsed as Record<string, unknown> } : { verdict: 'not_an_object' }
  } catch {
    return { verdict: 'invalid_json' }
  }
}

const verdictOf = (scan: Scan): true | string => (scan.ok ? true : scan.reason)

/** Throws where the two disagree; `expect` for each of a hundred thousand documents would take minutes. */
function compare(bytes: Uint8Array): Scan {
  const scan = scanObject(bytes)
  const { verdict, parsed } = expected(bytes)
  const fault = (what: string) => new Error(`${what}: ${Buffer.from(bytes).toString('utf8')} (${Buffer.from(bytes).toString('hex')})`)
  if (verdictOf(scan) !== verdict) throw fault(`${verdictOf(scan)} instead of ${verdict}`)
  if (!scan.ok || parsed === undefined) return scan
  // With a name twice JSON.parse has the last one.
  const values = new Map(scan.members.map(({ name, valueStart, end }) => [name, Buffer.from(bytes.subarray(valueStart, end)).toString('utf8')]))
  if (!Bun.deepEquals([...values.keys()].sort(), Object.keys(parsed).sort())) throw fault('other names')
  for (const [name, value] of values) if (!Bun.deepEquals(JSON.parse(value), parsed[name])) throw fault(`another value of ${name}`)
  return scan
}

describe('at every place in a block of sixteen bytes, the scan agrees with JSON.parse on', () => {
  const DOCUMENTS = [
    '{"§":1}', '{"a":"§"}', '{"a":"§","b":"§"}', '{"a":"§', '{"§', '{"a":"§}', '{"a":§}', '{"a":"§"', '{"a":"§" "b":1}', '{"a" "§":1}', '{"a":"§",}', '{,"a":"§"}', '{"a":"§"}x', '{"a":"§"}}', '{"a":"§"}\0',
    '{"a":"§\n"}', '{"a":"§\0"}', '{"a":"§\u001f"}', '{"a":"§\u007f"}', '{"a":"§ "}', '{"a":"§!#"}', '{"a":"§é€𝕏"}', '\ufeff{"a":"§"}', '{\u00a0"a":"§"}',
    '{"a":"§\\""}', '{"a":"§\\\\"}', '{"a":"§\\\\\\"}', '{"a":"§\\/\\b\\f\\n\\r\\t"}', '{"a":"§\\x"}', '{"a":"§\\', '{"a":"§\\"}', '{"a":"§\\\n"}', '{"a":"§\\\0"}',
    '{"a":"§\\u00e9"}', '{"a":"§\\uD83D\\uDE00"}', '{"a":"§\\ud800"}', '{"a":"§\\u"}', '{"a":"§\\u0"}', '{"a":"§\\u00"}', '{"a":"§\\u00e"}', '{"a":"§\\u00eg"}', '{"a":"§\\U00e9"}', '{"a":"§\\u', '{"a":"§\\u00e', '{"§\\u00e9":"§"}',
    '{"a":["§",{"§":["§"]},"§"]}', '{"a":["§",]}', '{"a":[,"§"]}', '{"a":["§"}}', '{"a":{"§":1]}', '{"a":{"§"}}', '["§"]', '"§"', '"§', '["§"}', '["§"] x',
  ]
  // Filled with what is as long as nothing, as less than a block, and as more than two.
  const fills = (letter: string) => Array.from({ length: 36 }, (_, length) => letter.repeat(length))

  test.each([
    ['strings', DOCUMENTS, 'x'],
    ['numbers', ['{"a":1§}', '{"a":-§1}', '{"a":0.§}', '{"a":1e§}', '{"a":[1§,2]}', '{"a":1§ }', '1§', '{"a":0§', '{"a":1§x}'], '7'],
    ['zeros', ['{"a":§}', '{"a":-§}', '{"a":1.§}', '{"a":1e-§}', '{"a":1§}'], '0'],
    ['white space', ['§{§"a"§:§1§,§"b"§:§[§]§}§', '{"a":tr§ue}', '{"a":true§}', '{"a":null§,"b":false§}', '§[§{§}§]§', '§', '{§}', '{"a":1§2}', '{"a":"§\t"}'], ' '],
  ])('%s', (_, documents, letter) => {
    for (const document of documents) for (const fill of fills(letter)) for (const shift of ALIGNMENTS) compare(Buffer.from(' '.repeat(shift) + document.replaceAll('§', fill)))
  })

  test('every byte in a string, in a key, after a backslash, in an escape and between values', () => {
    const places = [['{"a":"', '"}'], ['{"', '":1}'], ['{"a":"\\', '"}'], ['{"a":"\\u00', '0"}'], ['{"a":"\\u', '000"}'], ['{"a":1', '}'], ['{', '}'], ['{"a":[1', '2]}'], ['', '{}'], ['{}', '']]
    for (const [before, after] of places) {
      for (const shift of ALIGNMENTS) for (let byte = 0; byte < 256; byte++) compare(Buffer.concat([Buffer.from(' '.repeat(shift) + before), Buffer.of(byte), Buffer.from(after as string)]))
    }
  })
})

describe('the scan agrees with JSON.parse', () => {
  test('on every number that five of these letters spell, and on every word that is almost one', () => {
    const letters = [...'-+.eE019']
    let spelled = ['']
    for (let length = 1; length <= 5; length++) {
      spelled = spelled.flatMap((word) => letters.map((letter) => word + letter))
      for (const word of spelled) compare(Buffer.from(`{"a":${word}}`))
    }
    for (const word of ['true', 'false', 'null']) {
      for (let at = 0; at <= word.length; at++) for (const letter of ['', 'x', 'e', 'l', 'T', ' ', '\0']) for (const cut of [0, 1]) compare(Buffer.from(`{"a":${word.slice(0, at)}${letter}${word.slice(at + cut)}}`))
    }
  })

  test('on thirty thousand documents and as many of which one byte was changed', () => {
    const random = createRandom(2026_1127)
    const tally = new Map<true | string, number>()
    for (let n = 0; n < 30_000; n++) {
      const space = ' '.repeat(random.between(0, 20))
      const text = Buffer.from(space + (random.between(0, 20) === 0 ? randomJson(random) : randomObject(random)))
      const scan = compare(text)
      if (scan.ok) {
        expect(scan.members).toEqual(membersOf(text, space.length))
        compareMarks(text.toString('utf8'), scan.marks)
      }
      const verdict = verdictOf(compare(mutated(random, text)))
      tally.set(verdict, (tally.get(verdict) ?? 0) + 1)
    }
    // It would be no test if all of them were refused.
    for (const verdict of [true, 'not_an_object', 'invalid_json'] as const) expect(tally.get(verdict)).toBeGreaterThan(300)
  })

  function mutated(random: ReturnType<typeof createRandom>, text: Buffer): Buffer {
    const at = random.between(0, text.length - 1)
    const byte = random.between(0, 2) === 0 ? random.between(0, 255) : random.oneOf([...'{}[],:"\\0-.eE+tfnu \n\u0001']).charCodeAt(0)
    const kind = random.between(0, 2)
    return Buffer.concat([text.subarray(0, at), kind === 0 ? Buffer.alloc(0) : Buffer.of(byte), text.subarray(kind === 1 ? at : at + 1)])
  }
})

/** Of valid JSON, by what stands between its quotes. */
function tokenMarks(text: string): Marks {
  const marks: { -readonly [mark in keyof Marks]: boolean } = { ...NO_MARKS }
  /** The name under which each open object is at, from the outermost. */
  const names: (string | undefined)[] = []
  let isMember = false
  for (const [token, string, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\],]/g)) {
    const word = string === undefined ? undefined : (JSON.parse(string) as string)
    if (token === '{' || token === '[') names.push(undefined)
    else if (token === '}' || token === ']') names.pop()
    else if (colon !== undefined) {
      names[names.length - 1] = word
      marks.cacheControl ||= word === 'cache_control'
      const isInner = names.length > 1 && !names.slice(0, -1).some((name) => name === 'input' || name === 'input_schema')
      marks.nestedModel ||= word === 'model' && isInner
      marks.data ||= word === 'data' && isInner
    } else {
      marks.hour ||= word === '1h'
      marks.url ||= word === 'url' && isMember
    }
    marks.fileId ||= word === 'file_id'
    isMember = colon !== undefined
  }
  return marks
}

/** The searches that the marks are there instead of. */
function searchMarks(text: string): Marks {
  return { hour: text.includes('"1h"'), cacheControl: text.includes('cache_control'), url: /:\s*"url"/.test(text), fileId: text.includes('"file_id"'), nestedModel: text.includes('"model"'), data: /"data"\s*:/.test(text) }
}

function compareMarks(text: string, marks: Marks): void {
  if (!Bun.deepEquals(marks, tokenMarks(text))) throw new Error(`marks ${JSON.stringify(marks)} in ${text}`)
  if (text.includes('\\')) return
  const searched = searchMarks(text)
  for (const mark of Object.keys(NO_MARKS) as (keyof Marks)[]) {
    if (marks[mark] && !searched[mark]) throw new Error(`no search finds ${mark} in ${text}`)
  }
  if (marks.url !== searched.url || marks.fileId !== searched.fileId) throw new Error(`a search finds more than ${JSON.stringify(marks)} in ${text}`)
}

describe('a mark', () => {
  const has = (...marks: (keyof Marks)[]): Marks => ({ ...NO_MARKS, ...Object.fromEntries(marks.map((mark) => [mark, true])) })

  test.each<[string, (keyof Marks)[]]>([
    ['{"ttl":"1h"}', ['hour']],
    ['{"a":["1h"]}', ['hour']],
    ['{"ttl":"\\u0031\\u0068"}', ['hour']],
    ['{"1h":1,"a":"1h ","b":"x\\"1h","c":"1H","d":"\\u00311h","e":"1h\\\\","f":"\\u0131h","g":"\\n1h"}', []],
    ['{"cache_control":1}', ['cacheControl']],
    ['{"a":[{"c\\u0061che\\u005fcontro\\u006C":1}]}', ['cacheControl']],
    ['{"a":"cache_control","cache_contro":1,"cache_controls":2,"cache_contro\\u006cs":2,"Cache_control":3,"\\"cache_contro":4}', []],
    ['{"type":"url"}', ['url']],
    ['{"type" \n:\t"\\u0075r\\u006c"}', ['url']],
    ['{"url":1,"a":["url",["url"]],"b":"urls","c":"\\"url","d":"x:\\"url"}', []],
    ['{"file_id":1}', ['fileId']],
    ['{"a":["file_id"]}', ['fileId']],
    ['{"\\u0066ile_i\\u0064":1}', ['fileId']],
    ['{"file_ids":1,"file":"ile_id","a":"x\\"file_id"}', []],
    ['{"data":1,"a":{"input":{"data":2},"input_schema":{"b":{"data":3}}}}', []],
    ['{"a":{"input":{},"data":1}}', ['data']],
    ['{"a":[{"\\u0064at\\u0061" :1}]}', ['data']],
    ['{"a":"data","b":["data"],"datas":1,"dat":2,"Data":3,"\\"dat":4}', []],
    ['{"model":"a","mod\\u0065l":"b"}', []],
    ['{"a":{"model":1}}', ['nestedModel']],
    ['{"a":[[{"\\u006dodel":1}]]}', ['nestedModel']],
    ['{"a":"model","b":["model",{"b":"model","models":1,"mode\\u006c":2}]}', ['nestedModel']],
    ['{"a":{"Model":1,"mode":1,"\\"model":1}}', []],
    // What is in an input is no business of the API's; what is beside it, before it or behind it may be.
    ['{"a":[{"input":{"model":1,"b":[{"model":2}]}},{"input_schema":{"model":3}}],"input":[{"model":4}],"\\u0069nput":[{"model":5}]}', []],
    ['{"a":{"input":{"b":1},"model":1}}', ['nestedModel']],
    ['{"a":{"model":1,"input":{"b":1}}}', ['nestedModel']],
    ['{"a":{"input":1,"b":{"model":1}}}', ['nestedModel']],
    ['{"a":[{"input":1},[[[{"model":1}]]]]}', ['nestedModel']],
    ['{"a":{"b":{"input":{}}},"c":{"d":{"e":{"model":1}}}}', ['nestedModel']],
    ['{"a":["input",{"model":1}]}', ['nestedModel']],
    ['{"a":{"inputs":{"model":1}}}', ['nestedModel']],
    ['{"input":{"input":{"a":1},"b":[1]},"c":{"model":1}}', ['nestedModel']],
  ])('of %s', (text, marks) => {
    for (const shift of ALIGNMENTS) expect(marksOf(' '.repeat(shift) + text)).toEqual(has(...marks))
    expect(tokenMarks(text)).toEqual(has(...marks))
  })
})

describe('a body', () => {
  const scanBytes = (text: string) => scanObject(Buffer.from(text))

  test('of which a part is missing is not made whole by the one before', () => {
    const whole = '{"model":"a","b":[{"model":"c","type":"url"},"1h",12,true,"\\u00e9\\\\"],"cache_control":{"file_id":"1h"}}'
    for (let length = 0; length < whole.length; length++) {
      expect(scanBytes(whole).ok).toBe(true)
      expect(scanBytes(whole.slice(0, length))).toEqual({ ok: false, reason: 'invalid_json' })
    }
    expect(marksOf('{"a":1}')).toEqual(NO_MARKS)
  })

  test.each([
    ['lists', '[', ']', '0', 1024],
    ['objects', '{"a":', '}', '0', 1024],
    // What is empty is not gone into.
    ['lists around an empty one', '[', ']', '[]', 1024],
  ])('may nest %s a thousand and twenty-four deep in a member', (_, open, close, inner, most) => {
    const nested = (depth: number) => verdictOf(scanBytes(`{"x":1,"a":${open.repeat(depth)}${inner}${close.repeat(depth)}}`))
    expect([nested(most), nested(most + 1)]).toEqual([true, 'invalid_json'])
    expect(verdictOf(scanBytes(open.repeat(most) + inner + close.repeat(most)))).toBe(open === '[' ? 'not_an_object' : true)
  })

  test('may be larger than all before, and the next one small', () => {
    for (const size of [10, 70_000, 1_000_000, 10, 9_000_000, 10]) {
      const text = `{"a":"${'x'.repeat(size)}","b":2}`
      const scan = scanBytes(text)
      expect(scan.ok && scan.members.map(({ name, valueStart, end }) => [name, end - valueStart])).toEqual([['a', size + 2], ['b', 1]])
    }
  })
})

describe('the instance of the module', () => {
  const instances: ScanModule[] = []
  function instantiate(): ScanModule {
    const module = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(SCANNER))).exports as unknown as ScanModule
    instances.push(module)
    return module
  }
  const BODY = Buffer.from('{"a":1}')
  const A = { members: [{ start: 1, keyEnd: 4, valueStart: 5, end: 6 }], marks: NO_MARKS }

  test('is made at the first body, and serves the next ones', () => {
    instances.length = 0
    const scan = createScanner(instantiate)
    expect(instances).toHaveLength(0)
    for (let n = 0; n < 3; n++) expect(scan(BODY)).toEqual(A)
    expect(instances).toHaveLength(1)
  })

  test('serves no body after one that it failed at', () => {
    instances.length = 0
    const trap = new WebAssembly.RuntimeError('Out of bounds memory access')
    const scan = createScanner(() => {
      const module = instantiate()
      const fails = instances.length === 1
      return { ...module, scan: (length) => (fails && length > 100 ? thrown(trap) : module.scan(length)) }
    })
    expect(scan(BODY)).toEqual(A)
    expect(() => scan(Buffer.from(`{"a":"${'x'.repeat(100)}"}`))).toThrow(trap)
    expect(scan(BODY)).toEqual(A)
    expect(instances).toHaveLength(2)
  })

  test('serves no body after one that there was no memory for', () => {
    instances.length = 0
    const scan = createScanner(instantiate)
    class Endless extends Uint8Array {
      override get length() {
        return 2 ** 30
      }
    }
    expect(() => scan(new Endless(8))).toThrow()
    expect(scan(BODY)).toEqual(A)
    expect(instances).toHaveLength(2)
  })

  test('of a large body goes a second later, so that its memory does', () => {
    instances.length = 0
    jest.useFakeTimers()
    try {
      const scan = createScanner(instantiate)
      const large = Buffer.from(`{"a":"${'x'.repeat(5_000_000)}"}`)
      for (let n = 0; n < 3; n++) expect(scan(large)).toMatchObject({ members: [{ end: 5_000_007 }] })
      expect(instances).toHaveLength(1)
      jest.advanceTimersByTime(1000)
      expect(scan(BODY)).toEqual(A)
      expect(instances).toHaveLength(2)
      jest.advanceTimersByTime(10_000)
      expect(scan(BODY)).toEqual(A)
      expect(instances).toHaveLength(2)
    } finally {
      jest.useRealTimers()
    }
  })

  test('is of what its source compiles to', async () => {
    expect(Buffer.from(await compileScanner()).equals(readFileSync(SCANNER))).toBe(true)
  }, 60_000)
})

function thrown(error: Error): never {
  throw error
}
