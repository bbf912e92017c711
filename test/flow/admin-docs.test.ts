// docs/admin-api.md is true: its commands are run as they stand there, one after the other, and their answers compared.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { READ_KEY, WRITE_KEY } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

const text = readFileSync(new URL('../../docs/admin-api.md', import.meta.url), 'utf8')
const EXAMPLE = /```sh\n([\s\S]*?)```\n```json ?(\d{3})?\n([\s\S]*?)```/g
const examples = [...text.matchAll(EXAMPLE)].map(([, command = '', status = '200', answer = '']) => ({ command, status: Number(status), answer: JSON.parse(answer) as unknown }))

let world: World
let home: string
let lastId: string
beforeAll(async () => {
  world = await startWorld({ config: { admin: { write_keys: [{ id: 'terraform', key: WRITE_KEY }], read_keys: [{ id: 'dashboard', key: READ_KEY }] } } })
  home = mkdtempSync(`${tmpdir()}/gatehouse-curl-`)
  writeFileSync(`${home}/.curlrc`, 'write-out = "\\n%{http_code}"\n')
  await world.signIn('alice')
  const { sql } = world.database
  await sql`insert into spend_day (scope, scope_id, day, spent) values ('user', ${`${world.idp.issuer} alice`}, spend_day_of(spend_clock()), 412801250000), ('rbac_group', 'engineering', spend_day_of(spend_clock()), 520000000000)`
})
afterAll(async () => {
  rmSync(home, { recursive: true, force: true })
  await world.stop()
})

async function run(command: string): Promise<{ status: number; body: { id?: string } }> {
  const environment = { PATH: process.env.PATH ?? '', CURL_HOME: home, GATEWAY: world.gateway.url, ADMIN_KEY: WRITE_KEY, READ_KEY, ID: lastId }
  const curl = Bun.spawn(['sh', '-c', command], { env: environment, stdout: 'pipe', stderr: 'pipe' })
  const [output, trouble] = await Promise.all([new Response(curl.stdout).text(), new Response(curl.stderr).text()])
  if ((await curl.exited) !== 0) throw new Error(`curl failed: ${trouble}`)
  const end = output.lastIndexOf('\n')
  return { status: Number(output.slice(end + 1)), body: JSON.parse(output.slice(0, end)) as { id?: string } }
}

/** Ids and moments are another one each time; everything else has to be the document's own. */
function anonymous(value: unknown): unknown {
  const told = JSON.stringify(value).replace(/"((?:spl|aud|req)_)[0-9a-f]{32}"/g, '"$1"')
  return JSON.parse(told.replace(/"(created_at|updated_at|until)":"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"$1":""'))
}

test('the document has its examples', () => {
  expect(examples.length).toBe(text.match(/^curl /gm)?.length as number)
  expect(examples.length).toBeGreaterThan(10)
})

describe('docs/admin-api.md', () => {
  test.each(examples.map(({ command, ...example }, at) => [`${at + 1}: ${command.split('\n').at(-2)?.trim().slice(0, 90)}`, { command, ...example }] as const))('%s', async (_, { command, status, answer }) => {
    const answered = await run(command)
    expect(anonymous(answered.body)).toEqual(anonymous(answer))
    expect(answered.status).toBe(status)
    lastId = answered.body.id ?? lastId
  })
})
