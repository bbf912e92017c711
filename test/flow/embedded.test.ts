// PostgreSQL inside the program, through the same driver and migrations as any other.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Database } from '../../src/db/connect.ts'
import { EMBEDDED_MAX_CONNECTIONS, startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { migrations } from '../../src/db/migrations.ts'
import { startWorld } from '../support/gateway.ts'

const observe = () => {}
const open = ({ url, maxConnections }: EmbeddedPostgres): Database => connect({ url, maxConnections, observe })
const socketOf = ({ url }: EmbeddedPostgres) => new URL(url).searchParams.get('host') as string

let scratch: string
let directory: string
let postgres: EmbeddedPostgres

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  directory = join(scratch, 'store')
  // What a start that was cut short leaves behind.
  await mkdir(join(directory, 'postgres.unfinished/base'), { recursive: true })
  postgres = await startEmbeddedPostgres({ directory })
})
afterAll(async () => {
  await postgres.stop()
  await rm(scratch, { recursive: true, force: true })
})

describe('PostgreSQL inside the program', () => {
  test('takes the migrations, once', async () => {
    const db = open(postgres)
    await migrate(db, migrations, observe)
    await migrate(db, migrations, observe)
    const rows = await db.run<{ n: number }>(sql`select count(*)::int as n from schema_migration`)
    await db.close()
    expect(rows).toEqual([{ n: migrations.length }])
  })

  test('lets nobody but its owner to the socket and to the data', async () => {
    for (const path of [socketOf(postgres), join(directory, 'postgres')]) expect((await stat(path)).mode & 0o777).toBe(0o700)
  })

  test('turns a second connection away instead of mixing two into its one backend', async () => {
    const [first, second] = [open(postgres), open(postgres)]
    const before = [await first.isReachable(), await second.isReachable()]
    await first.close()
    const after = await second.isReachable()
    await second.close()
    expect([EMBEDDED_MAX_CONNECTIONS, before, after]).toEqual([1, [true, false], true])
  })

  test('runs many statements at once over its one connection, each with its own answer', async () => {
    const db = open(postgres)
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => db.run<{ n: number }>(n % 3 === 0 ? sql`select ${n}::int as n` : sql`select ${n}::int + 0 as n, ${'x'}::text`)))
    await db.close()
    expect(answers.map(([row]) => row?.n)).toEqual(Array.from({ length: 300 }, (_, n) => n))
  })

  test('forgets what an earlier connection prepared', async () => {
    const count = async () => {
      const db = open(postgres)
      await db.run(sql`select ${'one'}::text`)
      const [row] = await db.run<{ n: number }>(sql`select count(*)::int as n from pg_prepared_statements where ${1}::int = 1`)
      await db.close()
      return row?.n
    }
    const first = await count()
    expect([await count(), await count()]).toEqual([first, first])
  })

  test('refuses a directory that another process works in, and leaves that one alone', async () => {
    const script = `import { startEmbeddedPostgres } from '${join(import.meta.dir, '../../src/db/embedded.ts')}'
      await startEmbeddedPostgres({ directory: ${JSON.stringify(directory)} }).then(() => process.exit(0), (error) => { console.log(error.message); process.exit(3) })`
    const other = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' })
    const [said, code] = [await new Response(other.stdout).text(), await other.exited]
    expect({ said, code }).toEqual({ said: `store.embedded: ${directory} is in use by another gatehouse\n`, code: 3 })
    const db = open(postgres)
    const alive = await db.isReachable()
    await db.close()
    expect(alive).toBe(true)
  })

  test('keeps its data over a restart and takes its socket away', async () => {
    const before = open(postgres)
    await before.script('create table kept (n int); insert into kept values (7)')
    await before.close()
    const socket = socketOf(postgres)
    await postgres.stop()
    await expect(stat(socket)).rejects.toThrow('ENOENT')
    postgres = await startEmbeddedPostgres({ directory })
    const after = open(postgres)
    const rows = await after.run<{ n: number }>(sql`select n from kept`)
    await after.close()
    expect(rows).toEqual([{ n: 7 }])
  })

  test('says so when the directory cannot be made', async () => {
    await Bun.write(join(scratch, 'file'), '')
    const start = startEmbeddedPostgres({ directory: join(scratch, 'file/store') })
    await expect(start).rejects.toThrow(`store.embedded: ${join(scratch, 'file/store')} cannot be made (ENOTDIR)`)
  })

  test('says so when what lies there is no database, without destroying it', async () => {
    const foreign = join(scratch, 'foreign')
    await Bun.write(join(foreign, 'postgres/PG_VERSION'), '12\n')
    await expect(startEmbeddedPostgres({ directory: foreign })).rejects.toThrow(`store.embedded: the database in ${join(foreign, 'postgres')} cannot be opened`)
    expect(await Bun.file(join(foreign, 'postgres/PG_VERSION')).text()).toBe('12\n')
  })
})

describe('a gateway with store.embedded', () => {
  test('signs in many people at once and refreshes them', async () => {
    const world = await startWorld({ config: { store: { embedded: join(scratch, 'of-a-gateway') } } })
    try {
      const tokens = await Promise.all(Array.from({ length: 12 }, (_, n) => world.signIn(n % 2 === 0 ? 'alice' : 'bob')))
      expect(new Set(tokens.map(({ access_token }) => access_token)).size).toBe(12)
      const refreshed = await Promise.all(tokens.map(({ refresh_token }) => world.gateway.form('/oauth/token', { grant_type: 'refresh_token', refresh_token })))
      expect(refreshed.map(({ status }) => status)).toEqual(Array(12).fill(200))
      const answer = await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }, tokens[0]?.access_token)
      expect([answer.status, await (await world.gateway.get('/readyz')).text()]).toEqual([200, 'ready'])
      await answer.text()
    } finally {
      await world.stop()
    }
  })
})
