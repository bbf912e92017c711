import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { instructions, managedSettings, shellLines } from '../../src/demo/instructions.ts'
import { PEOPLE } from '../../src/demo/people.ts'

const here = { version: '1.2.3', gateway: 'http://127.0.0.1:8080', issuer: 'http://127.0.0.1:1', upstream: 'http://127.0.0.1:2', directory: undefined }
const page = await Bun.file(join(import.meta.dir, '../../docs/demo.md')).text()

describe('the instructions of the demonstration', () => {
  test('are plain text in a file and bold on a terminal, with the same words', () => {
    const [plain, bold] = [instructions({ ...here, color: false }), instructions({ ...here, color: true })]
    expect(plain).not.toContain('\u001b')
    expect(bold).toContain('\u001b[1mWith curl\u001b[0m')
    expect(bold.replace(/\u001b\[\d+m/g, '')).toBe(plain)
  })

  test('say what is kept, and where', () => {
    expect(instructions({ ...here, color: false })).toContain('nothing is kept')
    expect(instructions({ ...here, color: false, directory: '/srv/demo' })).toContain('the database is kept in /srv/demo')
  })

  test('are the ones of docs/demo.md', () => {
    expect(page).toContain(shellLines(here.gateway))
    expect(page).toContain(managedSettings(here.gateway))
    expect(PEOPLE.filter(({ name, groups }) => !page.includes(`| ${name.split(' ')[0]} | ${groups.join(', ')} |`))).toEqual([])
  })
})
