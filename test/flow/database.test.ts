import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { sql } from 'drizzle-orm'
import { connect } from '../../src/db/connect.ts'
import { migrate } from '../../src/db/migrate.ts'
import { migrations } from '../../src/db/migrations.ts'
import { prepared } from '../../src/db/prepared.ts'
import type { Observation } from '../../src/observe/events.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false })
})
afterAll(() => database.drop())

const open = () => connect({ url: database.url, maxConnections: 2, observe: () => {} })
const failure = (work: Promise<unknown>) => work.then(() => undefined, (error: Error) => error)

describe('migrations', () => {
  test('are the files of the folder, in order', () => {
    const files = readdirSync(new URL('../../migrations', import.meta.url)).filter((name) => name.endsWith('.sql')).sort()
    expect(migrations.map(({ name }) => name)).toEqual(files)
  })

  test('are each applied once by replicas that start together, and a later start does no harm', async () => {
    const replicas = Array.from({ length: 8 }, open)
    const observed: Observation[] = []
    await Promise.all(replicas.map((db) => migrate(db, migrations, (observation) => observed.push(observation))))
    const late = open()
    await migrate(late, migrations, () => {})
    expect(await database.sql`select name from schema_migration order by name`).toEqual(migrations.map(({ name }) => ({ name })) as never)
    for (const db of [...replicas, late]) await db.close()
  })

  test('leave nothing behind when one fails, and name it', async () => {
    const db = open()
    const bad = [{ name: '9999_bad.sql', text: 'create table half_done (id int); select 1 / 0;' }]
    expect((await failure(migrate(db, bad, () => {})))?.message).toBe('store: 9999_bad.sql could not be applied (SQLSTATE 22012)')
    expect(await database.sql`select to_regclass('half_done') as it`).toEqual([{ it: null }] as never)
    expect(await database.sql`select from schema_migration where name = '9999_bad.sql'`).toHaveLength(0)
    await db.close()
  })

  test('name the right that is missing', async () => {
    // Roles belong to the server, which may outlive the tests.
    const reader = `reader_${randomBytes(6).toString('hex')}`
    await database.sql.unsafe(`create role ${reader} login password 'reader'; revoke create on schema public from public`)
    const db = connect({ url: database.url, username: reader, password: 'reader', maxConnections: 1, observe: () => {} })
    expect((await failure(migrate(db, migrations, () => {})))?.message).toContain('needs the right to create tables')
    await db.close()
    await database.sql.unsafe(`drop role ${reader}`)
  })
})

describe('a statement', () => {
  test('that waits for a connection is run although another one misses its deadline meanwhile', async () => {
    const db = open()
    const busy = db.run(sql`select pg_sleep(1.5)`)
    const late = failure(db.run(sql`select pg_sleep(30)`, { deadlineMs: 1000 }))
    const waiting = db.run(sql`select 1 as one`)
    expect((await late)?.message).toContain('no answer within 1000 ms')
    expect(await waiting).toEqual([{ one: 1 }])
    await busy
    await db.close()
  })

  test('ends at its deadline although the database has not answered, and later ones work', async () => {
    const db = open()
    const error = await failure(db.run(sql`select pg_sleep(30)`, { deadlineMs: 50 }))
    expect(error).toMatchObject({ code: 'deadline' })
    expect(await db.run<{ one: number }>(sql`select 1 as one`)).toEqual([{ one: 1 }])
    await db.close()
  })

  // Who asked has been told that it failed.
  test('that waits for a connection beyond its deadline is not run afterwards', async () => {
    const waiter = `waiter_${randomBytes(4).toString('hex')}`
    await database.sql.unsafe(`create role ${waiter} login password 'waiter'; create table late (n int); grant insert on late to ${waiter}`)
    const db = connect({ url: database.url, username: waiter, password: 'waiter', maxConnections: 1, observe: () => {} })
    await db.run(sql`select 1`)
    const first = db.run(sql`select pg_sleep(0.5)`)
    const errors = await Promise.all([1, 2].map((n) => failure(db.run(sql`insert into late values (${n})`, { deadlineMs: 50 }))))
    expect(errors).toMatchObject([{ code: 'deadline' }, { code: 'deadline' }])
    await first
    // The connection that they waited for ends when nothing waits for it any more.
    while ((await database.sql`select from pg_stat_activity where usename = ${waiter}`).length > 0) await Bun.sleep(10)
    expect([...(await database.sql`select n from late`)]).toEqual([])
    await db.close()
    await database.sql.unsafe(`drop table late; drop role ${waiter}`)
  })

  // A database that is slow to connect, or a network.
  test('that is given up while its connection is being made is not run, and the connection serves the next one', async () => {
    const { hostname, port } = new URL(database.url)
    const gate = Promise.withResolvers<void>()
    const ends: Promise<unknown>[] = []
    const server = createServer({ pauseOnConnect: true }, async (client) => {
      await gate.promise
      const target = connectTcp(Number(port), hostname)
      ends.push(new Promise((resolve) => target.on('close', resolve)))
      for (const [from, to] of [[client, target], [target, client]] as const) from.on('error', () => to.destroy()).pipe(to)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = new URL(database.url)
    url.port = String((server.address() as AddressInfo).port)
    await database.sql`create table never (n int)`
    const db = connect({ url: url.href, maxConnections: 2, observe: () => {} })
    const insert = (n: number) => failure(db.run(sql`insert into never values (${n})`, { deadlineMs: 50 }))
    // The first brings a new pool, and it is too soon for another when the two connections of that one are given up.
    const errors = [await insert(1), ...(await Promise.all([insert(2), insert(3)]))]
    expect(errors).toMatchObject([{ code: 'deadline' }, { code: 'deadline' }, { code: 'deadline' }])
    gate.resolve()
    expect(await Promise.all([1, 2, 3].map((n) => db.run<{ n: number }>(sql`select ${n}::int as n`, { deadlineMs: 3000 })))).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
    await db.close()
    // Three: the connection of the first pool was given up as well.
    expect(ends.length).toBe(3)
    await Promise.all(ends)
    expect([...(await database.sql`select n from never`)]).toEqual([])
    await database.sql`drop table never`
    server.close()
  }, 15_000)

  // T259
  test('fails without showing its parameters', async () => {
    const db = open()
    const error = await failure(db.run(sql`select ${'canary-7f3a'}::int`))
    expect(error).toMatchObject({ code: 'failed', sqlState: '22P02' })
    expect(Bun.inspect(error)).not.toContain('canary-7f3a')
    await db.close()
  })

  test('says that the database is unreachable when it is', async () => {
    const db = connect({ url: 'postgres://nobody@127.0.0.1:1/none', maxConnections: 1, observe: () => {} })
    expect(await failure(db.run(sql`select 1`))).toMatchObject({ code: 'unreachable' })
    expect(await db.isReachable()).toBe(false)
    await db.close()
  })

  test('that is prepared runs again and again, each time with the parameters of that time', async () => {
    const db = open()
    const twice = prepared<{ name: string; nobody: string | null }>(({ name, nobody }) => sql`select ${name}::text || ${name}::text as it, ${nobody}::text as nobody`)
    const rows = await Promise.all(['a', 'b', `'--`].map((name) => db.run(twice({ name, nobody: null }))))
    expect(rows).toEqual([[{ it: 'aa', nobody: null }], [{ it: 'bb', nobody: null }], [{ it: `'--'--`, nobody: null }]])
    await db.close()
  })

  test('reads moments to the microsecond and JSON as what it says, and sends JSON as it was written', async () => {
    const db = open()
    const moment = '2026-11-27 12:00:00.123456+00'
    const rows = await db.run(sql`select (${moment}::timestamptz at time zone 'UTC')::text as moment, ${moment}::timestamptz = '2026-11-27T12:00:00.123456Z' as same,
      '2026-11-27'::date as day, ${'{"a":[1]}'}::jsonb as json, ${'{"a":[1]}'}::jsonb -> 'a' ->> 0 as inner`)
    expect(rows).toEqual([{ moment: '2026-11-27 12:00:00.123456', same: true, day: '2026-11-27', json: { a: [1] }, inner: '1' }])
    const [now] = await db.run<{ at: string }>(sql`select '2026-11-27 12:00:00.123456Z'::timestamptz as at`)
    expect(now?.at).toMatch(/\.123456/)
    await db.close()
  })

  // T272, T273
  test('survives backends being killed under it: no wrong row, none hangs', async () => {
    const db = connect({ url: database.url, maxConnections: 4, observe: () => {} })
    let [right, wrong, failed] = [0, 0, 0]
    const stopAt = performance.now() + 2000
    const worker = async (id: number) => {
      for (let n = 0; performance.now() < stopAt; n++) {
        const asked = `${id}-${n}`
        const rows = await db.run<{ it: string }>(sql`select ${asked}::text as it`, { deadlineMs: 1000 }).catch(() => undefined)
        if (rows === undefined) failed++
        else if (rows[0]?.it === asked) right++
        else wrong++
      }
    }
    const killer = async () => {
      while (performance.now() < stopAt) {
        await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gatehouse' and datname = current_database() order by random() limit 1`
        await Bun.sleep(50)
      }
    }
    await Promise.all([killer(), ...Array.from({ length: 16 }, (_, id) => worker(id))])
    expect(wrong).toBe(0)
    expect(right).toBeGreaterThan(100)
    expect(failed).toBeGreaterThan(0)
    expect(await db.run<{ one: number }>(sql`select 1 as one`)).toEqual([{ one: 1 }])
    await db.close()
  }, 20_000)
})
