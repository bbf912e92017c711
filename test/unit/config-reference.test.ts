import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { printConfig } from '../../src/config/commands.ts'
import { renderReference } from '../../src/config/reference.ts'
import { gatewaySchema } from '../../src/config/schema.ts'
import { CANARIES, load, refusal } from '../support/config-texts.ts'

const at = (path: string) => new URL(`../../${path}`, import.meta.url).pathname
const read = (path: string) => readFileSync(at(path), 'utf8')
const EXAMPLES = readdirSync(at('docs/examples'))
const FIXTURES = readdirSync(at('test/fixtures/config'))

describe('docs/configuration.md', () => {
  test('is what the schemas say; `bun run docs` writes it', () => {
    expect(read('docs/configuration.md') === renderReference()).toBe(true)
  })

  test('has every section', () => {
    for (const section of Object.keys(gatewaySchema.entries)) expect(renderReference()).toContain(`## \`${section}\``)
  })

  test('says of every key what it is and what it means', () => {
    const rows = renderReference().split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.length).toBeGreaterThan(150)
    expect(rows.filter((row) => !/^\| `[^`]+` \| [^|]+ \| [^|]* \| [^|]{4,} \|$/.test(row))).toEqual([])
  })

  test('keeps the meaning of a pipe in its tables', () => {
    expect(renderReference().split('\n').filter((line) => line.startsWith('| ') && line.split(/(?<!\\)\|/).length !== 6)).toEqual([])
  })
})

describe('docs/examples', () => {
  test.each(EXAMPLES)('%s is a configuration', (file) => {
    expect(refusal(read(`docs/examples/${file}`), CANARIES)).toEqual([])
  })

  test('full.yaml has every section', () => {
    const text = read('docs/examples/full.yaml')
    for (const section of Object.keys(gatewaySchema.entries)) expect(text).toMatch(new RegExp(`^${section}:`, 'm'))
  })

  test.each(EXAMPLES.filter((file) => file !== 'full.yaml'))('%s gives no warning', (file) => {
    expect(load(read(`docs/examples/${file}`), CANARIES).warnings).toEqual([])
  })
})

// test/fixtures/config: NAME.yaml is read; NAME.printed.yaml or NAME.problems.txt is what comes of it.
describe('the configuration of', () => {
  test.each(FIXTURES.filter((file) => file.endsWith('.printed.yaml')))('%s is printed so, and without a secret', async (file) => {
    const source = at(`test/fixtures/config/${file.replace('.printed', '')}`)
    const { text, exitCode } = await printConfig(source, { ...CANARIES, PORT: '9000' })
    expect({ text, exitCode }).toEqual({ text: read(`test/fixtures/config/${file}`), exitCode: 0 })
    expect(text).not.toContain('canary')
  })

  test.each(FIXTURES.filter((file) => file.endsWith('.problems.txt')))('%s is refused so', async (file) => {
    const source = at(`test/fixtures/config/${file.replace('.problems.txt', '.yaml')}`)
    const { text, exitCode } = await printConfig(source, CANARIES)
    expect({ text: text.replaceAll(source, 'gateway.yaml'), exitCode }).toEqual({ text: read(`test/fixtures/config/${file}`), exitCode: 1 })
  })

  test('every fixture is used', () => {
    const names = FIXTURES.filter((file) => file.endsWith('.yaml') && !file.endsWith('.printed.yaml')).map((file) => file.replace(/\.yaml$/, ''))
    expect(names.length).toBeGreaterThan(3)
    expect(names.filter((name) => !FIXTURES.includes(`${name}.printed.yaml`) && !FIXTURES.includes(`${name}.problems.txt`))).toEqual([])
  })
})
