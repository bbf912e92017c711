// docs/reports.md does what it says: each command is run by a shell, and its answer is the one printed below it.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { startWorld, type World } from '../support/gateway.ts'
import { setClock, settle } from '../support/report-rows.ts'

const KEY = 'read-key-canary-of-more-than-32-bytes'
const page = await Bun.file(new URL('../../docs/reports.md', import.meta.url)).text()
const EXAMPLES = [...page.matchAll(/```sh\n(.+?)```\n```(json|csv)\n(.+?)```/gs)].map(([, command = '', kind = '', answer = '']) => ({ command, kind, answer }))

let world: World
beforeAll(async () => {
  world = await startWorld({ config: { admin: { read_keys: [{ id: 'finance', key: KEY }] } } })
  await setClock(world.database.sql, '2026-09-02T08:00:00Z')
  await settle(world.database.sql, [
    { at: '2026-08-03T09:15:00Z', sub: 'alice', groups: ['engineering'], session: 'a', input: 12_345, output: 2100, cacheRead: 80_000, cacheWrite5m: 4000 },
    { at: '2026-08-03T14:02:00Z', sub: 'bob', groups: ['engineering', 'research'], session: 'b', input: 2048, output: 512, webSearches: 1 },
    { at: '2026-08-17T10:00:00Z', sub: 'bob', groups: ['engineering', 'research'], session: 'c', model: 'claude-opus-5-5', input: 9001, output: 1234, rates: [5_000_000_000, 25_000_000_000, 500_000_000, 6_250_000_000, 10_000_000_000, 10_000_000] },
  ])
})
afterAll(() => world.stop())

const run = async (command: string): Promise<string> => {
  const shell = Bun.spawn(['sh', '-c', command], { env: { PATH: process.env.PATH, GATEWAY: world.gateway.url, KEY } })
  return shell.stdout.text()
}
/** These differ from gateway to gateway, and from answer to answer. */
const settled = (answer: string): unknown => JSON.parse(answer, (key, value) => (key === 'organization_id' || (key === 'next_page' && value !== null) ? typeof value : value))

test('the page has an example of each report', () => {
  expect(EXAMPLES.map(({ command }) => /organizations\/([a-z_/]+)/.exec(command)?.[1])).toEqual(['usage_report/messages', 'cost_report', 'usage_report/claude_code', 'analytics/cost', 'cost_report'])
})

test.skipIf(Bun.which('curl') === null).each(EXAMPLES)('$command', async ({ command, kind, answer }) => {
  const said = await run(command)
  if (kind === 'csv') expect(said.replaceAll('\r\n', '\n')).toBe(answer)
  else expect(settled(said)).toEqual(settled(answer))
})
