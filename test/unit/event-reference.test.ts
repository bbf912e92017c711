import { describe, expect, test } from 'bun:test'
import { Glob } from 'bun'
import { auditLine, recordOf } from '../../src/observe/audit-line.ts'
import { EVENT_DOCS, EVENT_NAMES, PERSON_FIELDS, REQUEST_FIELDS } from '../../src/observe/event-docs.ts'
import { renderEvents } from '../../src/observe/event-reference.ts'

const root = new URL('../../', import.meta.url).pathname
const sources = (await Promise.all([...new Glob('{src,migrations}/**/*.{ts,sql}').scanSync(root)].filter((file) => !file.includes('observe/event')).map((file) => Bun.file(root + file).text()))).join('\n')

describe('docs/events.md', () => {
  test('is what the types say; `bun run docs` writes it', async () => {
    expect((await Bun.file(`${root}docs/events.md`).text()) === renderEvents()).toBe(true)
  })

  test('keeps the meaning of a pipe in its tables', () => {
    expect(renderEvents().split('\n').filter((line) => line.startsWith('| ') && line.split(/(?<!\\)\|/).length !== 4)).toEqual([])
  })

  test.each(EVENT_NAMES)('says of %s nothing that no code writes', (name) => {
    // Events of spend limits are made by the database, by what was done.
    const written = name.startsWith('admin.limit.') ? [`'${name.slice('admin.limit.'.length)}'`, "'admin.limit.' || new.action"] : [`evt: '${name}'`]
    for (const words of written) expect(sources).toContain(words)
  })

  test('knows every event that code writes', () => {
    const names = new Set([...sources.matchAll(/evt: '([a-z_.]+)'/g)].map(([, name]) => name as never))
    expect([...names].filter((name) => !EVENT_NAMES.includes(name))).toEqual([])
    expect(names.size).toBeGreaterThan(18)
  })

  test.each(EVENT_NAMES)('shows an example of %s with fields that it explains', (name) => {
    const { person, fields, example } = EVENT_DOCS[name]
    const known = new Set(['evt', ...Object.keys(REQUEST_FIELDS), ...(person ? Object.keys(PERSON_FIELDS) : []), ...Object.keys(fields)])
    expect(Object.keys(example).filter((field) => !known.has(field))).toEqual([])
    expect(recordOf(auditLine({ ts: '2026-08-01T00:00:00.000Z', ...example })).evt).toBe(name)
  })
})
