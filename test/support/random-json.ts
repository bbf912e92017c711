// JSON as nobody in their right mind would write it: names given twice, words spelled with escapes, white space anywhere, and
// the words that a scan looks for as names, as values and in the midst of a text.
import type { Random } from './clouds/random.ts'

const WORDS = ['1h', 'url', 'file_id', 'cache_control', 'model', 'input', 'input_schema', '5m', 'urls', 'models', 'a "model"', 'x"1h', '__proto__', '', 'file', 'fallbacks']
const LETTERS = ['a', 'Z', '0', ' ', '/', 'é', '€', '𝕏', '\u007f', '\u00a0', '\u2028', '\ufeff']
const ESCAPES = ['\\"', '\\\\', '\\/', '\\b', '\\f', '\\n', '\\r', '\\t', '\\u0000', '\\u001b', '\\u0041', '\\u00e9', '\\uD83D\\uDE00', '\\ud800', '\\uFFFF', '\\\\u0031']
const SPACES = ['', '', '', '', '', ' ', '\n', '\t', '\r\n', '                 ']
const SCALARS = ['0', '-0', '1', '-12.5', '1e9', '2E-3', '0.1e+1', '9007199254740993', '1'.repeat(40), 'true', 'false', 'null']

/** The text of a JSON value. */
export function randomJson(random: Random, depth = 0): string {
  const kind = random.between(0, depth > 5 ? 4 : 9)
  if (kind <= 1) return random.oneOf(SCALARS)
  if (kind <= 4) return randomString(random)
  return kind <= 6 ? randomArray(random, depth) : randomObject(random, depth)
}

export function randomObject(random: Random, depth = 0): string {
  const space = () => random.oneOf(SPACES)
  return `{${space()}${listOf(random, () => `${randomString(random)}${space()}:${space()}${randomJson(random, depth + 1)}${space()}`)}}`
}

function randomArray(random: Random, depth: number): string {
  const space = () => random.oneOf(SPACES)
  return `[${space()}${listOf(random, () => `${randomJson(random, depth + 1)}${space()}`)}]`
}

function listOf(random: Random, item: () => string): string {
  return Array.from({ length: random.between(0, 4) }, item).join(`,${random.oneOf(SPACES)}`)
}

function randomString(random: Random): string {
  if (random.between(0, 2) > 0) return `"${[...random.oneOf(WORDS)].map((letter) => spelled(random, letter)).join('')}"`
  return `"${Array.from({ length: random.between(0, 40) }, () => random.oneOf(random.between(0, 7) === 0 ? ESCAPES : LETTERS)).join('')}"`
}

/** A letter as it is, which a quote may not be, or seldom as an escape. */
function spelled(random: Random, letter: string): string {
  if (letter !== '"' && random.between(0, 15) > 0) return letter
  const digits = letter.charCodeAt(0).toString(16).padStart(4, '0')
  return `\\u${random.between(0, 1) === 0 ? digits : digits.toUpperCase()}`
}
