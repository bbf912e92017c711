// Whoever changes the stored trail is found, wherever they did it, and the first break is named.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { findEvents, type Head } from '../../src/audit/store.ts'
import { setClock, startTrail, type TestTrail } from '../support/audit-trail.ts'

let trail: TestTrail
beforeAll(async () => {
  trail = await startTrail()
  await trail.append(6, '2026-08-01')
  await trail.append(5, '2026-08-02')
  await trail.append(4, '2026-08-04')
  await trail.keep()
})
afterEach(async () => {
  await trail.restore()
  await setClock(trail.database, `${LAST}T12:00:00Z`)
})
afterAll(() => trail.stop())

const at = (day: string, seq: number) => ({ day, seq })
const [FIRST, SECOND, LAST] = ['2026-08-01', '2026-08-02', '2026-08-04']

async function hashAt(day: string, seq: number): Promise<Head> {
  const [row] = await trail.database.sql`select encode(hash, 'hex') as hash from audit_event where day = ${day} and seq = ${seq}`
  return { day, seq, hash: row?.hash as string }
}

describe('a trail that nobody touched', () => {
  test('is proved from its first event to its last, over days without events', async () => {
    expect(await trail.verify()).toMatchObject({ fault: undefined, first: FIRST, state: { days: 3, events: 15, last: at(LAST, 4) } })
  })

  test.each([
    [{ from: SECOND }, { days: 2, events: 9 }],
    [{ to: SECOND }, { days: 2, events: 11 }],
    [{ from: SECOND, to: '2026-08-03' }, { days: 1, events: 5 }],
    [{ from: '2026-08-03' }, { days: 1, events: 4 }],
    [{ from: '2027-01-01' }, { days: 0, events: 0 }],
  ])('is proved in part: %j', async (query, state) => {
    expect(await trail.verify(query)).toMatchObject({ fault: undefined, state })
  })

  test('agrees with what was noted of it elsewhere', async () => {
    const anchors = [await hashAt(FIRST, 3), await hashAt(FIRST, 6), await hashAt(LAST, 4)]
    expect(await trail.verify({ anchors })).toMatchObject({ fault: undefined, state: { anchors: { held: 3, apart: 0 } } })
    expect(await trail.verify({ anchors, from: SECOND })).toMatchObject({ fault: undefined, state: { anchors: { held: 1, apart: 2 } } })
  })

  test('is worked out with sha256sum as well as here', async () => {
    const rows = await trail.database.sql`select day::text, seq, line, hash from audit_event order by day, seq`
    let previous = Buffer.alloc(0)
    for (const { day, seq, line, hash } of rows) {
      previous = Buffer.from(new Bun.CryptoHasher('sha256').update(previous).update(`${day} ${seq} ${line}`).digest())
      expect(previous.equals(hash as Buffer)).toBe(true)
    }
  })

  test('is proved from the first day that is kept', async () => {
    await trail.database.sql`select audit_forget(2, 1000)`
    expect(await trail.database.sql`select distinct day::text from audit_event order by day`).toEqual([{ day: SECOND }, { day: LAST }] as never)
    expect(await trail.verify()).toMatchObject({ fault: undefined, first: SECOND, forgotten: { day: FIRST }, state: { days: 2, events: 9 } })
  })

  test('is proved while a day that is kept no longer goes piece by piece', async () => {
    await trail.database.sql`select audit_forget(2, 2)`
    expect(await trail.database.sql`select count(*)::int as n from audit_event`).toEqual([{ n: 13 }] as never)
    expect(await trail.verify()).toMatchObject({ fault: undefined, first: SECOND, state: { events: 9 } })
  })

  test('is proved when all of it but today is forgotten', async () => {
    await trail.database.sql`select audit_forget(1, 1000)`
    expect(await trail.verify()).toMatchObject({ fault: undefined, first: LAST, state: { days: 1, events: 4 } })
  })
})

describe('a trail is broken, and the place of it is named, by', () => {
  const renumber = (day: string, from: number, by: number) => `update audit_event set seq = seq + 1000 where day = '${day}' and seq >= ${from}; update audit_event set seq = seq - 1000 + ${by} where day = '${day}' and seq >= 1000`
  const swap = (day: string, a: number, b: number) => `update audit_event set seq = 1000 where day = '${day}' and seq = ${a}; update audit_event set seq = ${a} where day = '${day}' and seq = ${b}; update audit_event set seq = ${b} where day = '${day}' and seq = 1000`
  test.each([
    ['a changed line', `update audit_event set line = replace(line, 'nr 2', 'nr 3') where day = '${FIRST}' and seq = 3`, 'changed', at(FIRST, 3)],
    ['a changed hash', `update audit_event set hash = sha256(hash) where day = '${FIRST}' and seq = 3`, 'changed', at(FIRST, 3)],
    ['the first line of all', `update audit_event set line = line || ' ' where day = '${FIRST}' and seq = 1`, 'changed', at(FIRST, 1)],
    ['the first line of a day', `update audit_event set line = line || ' ' where day = '${SECOND}' and seq = 1`, 'changed', at(SECOND, 1)],
    ['the last line of a day', `update audit_event set line = line || ' ' where day = '${FIRST}' and seq = 6`, 'changed', at(FIRST, 6)],
    ['the last line of all', `update audit_event set line = line || ' ' where day = '${LAST}' and seq = 4`, 'changed', at(LAST, 4)],
    ['a changed line whose hash was made anew', `update audit_event e set line = 'x', hash = audit_hash(p.hash, e.day, e.seq, 'x') from audit_event p where p.day = e.day and p.seq = e.seq - 1 and e.day = '${FIRST}' and e.seq = 3`, 'changed', at(FIRST, 3)],
    ['a changed line whose hash was made anew, as a gateway writes it', `update audit_event e set line = replace(e.line, 'nr 2', 'nr 9'), hash = audit_hash(p.hash, e.day, e.seq, replace(e.line, 'nr 2', 'nr 9')) from audit_event p where p.day = e.day and p.seq = e.seq - 1 and e.day = '${FIRST}' and e.seq = 3`, 'changed', at(FIRST, 4)],
    ['another person beside the line', `update audit_event set sub = 'mallory' where day = '${FIRST}' and seq = 3`, 'changed', at(FIRST, 3)],
    ['another moment beside the line', `update audit_event set ts = ts + interval '1 microsecond' where day = '${FIRST}' and seq = 3`, 'changed', at(FIRST, 3)],
    ['another name beside the line', `update audit_event set evt = 'inference' where day = '${SECOND}' and seq = 5`, 'changed', at(SECOND, 5)],
    ['a removed event', `delete from audit_event where day = '${FIRST}' and seq = 3`, 'missing', at(FIRST, 3)],
    ['the first event removed', `delete from audit_event where day = '${FIRST}' and seq = 1`, 'missing', at(FIRST, 1)],
    ['a removed event, the others numbered anew', `delete from audit_event where day = '${FIRST}' and seq = 3; ${renumber(FIRST, 4, -1)}`, 'removed', at(FIRST, 3)],
    ['an inserted event', `${renumber(FIRST, 3, 1)}; insert into audit_event select day, 3, ts, evt, request_id, issuer, sub, line, sha256(hash) from audit_event where day = '${FIRST}' and seq = 1`, 'inserted', at(FIRST, 3)],
    ['an inserted event with the right hash', `${renumber(FIRST, 3, 1)}; insert into audit_event select day, 3, ts, evt, request_id, issuer, sub, line, audit_hash(hash, day, 3, line) from audit_event where day = '${FIRST}' and seq = 2`, 'inserted', at(FIRST, 3)],
    ['two events in another order', swap(FIRST, 2, 3), 'moved', at(FIRST, 2)],
    ['two events apart in another order', swap(FIRST, 2, 5), 'moved', at(FIRST, 2)],
    ['the end of a day cut off', `delete from audit_event where day = '${FIRST}' and seq > 4`, 'cut_off', at(FIRST, 5)],
    ['the end of the trail cut off', `delete from audit_event where day = '${LAST}' and seq > 2`, 'cut_off', at(LAST, 3)],
    ['a whole day removed', `delete from audit_event where day = '${SECOND}'`, 'missing', at(SECOND, 1)],
    ['the first day removed', `delete from audit_event where day = '${FIRST}'`, 'missing', at(FIRST, 1)],
    ['the last day removed', `delete from audit_event where day = '${LAST}'`, 'cut_off', at(LAST, 1)],
    ['events moved to another day', `update audit_event set day = '2026-08-03' where day = '${SECOND}' and seq > 3`, 'cut_off', at(SECOND, 4)],
    ['the record of a day changed', `update audit_day set hash = sha256(hash) where day = '${FIRST}'`, 'end', at(FIRST, 6)],
    ['the record of a day with fewer events', `update audit_day set events = 5 where day = '${FIRST}'`, 'end', at(FIRST, 6)],
    ['the record of a day removed', `delete from audit_day where day = '${FIRST}'`, 'end', at(FIRST, 6)],
    ['a day in the middle that is said to be forgotten', `update audit_day set forgotten = true where day = '${SECOND}'; delete from audit_event where day = '${SECOND}'`, 'missing', at(SECOND, 1)],
    ['an event beyond the end', `insert into audit_event select day, 5, ts, evt, request_id, issuer, sub, line, audit_hash(hash, day, 5, line) from audit_event where day = '${LAST}' and seq = 4`, 'end', at(LAST, 5)],
    ['another end', `update audit_head set hash = sha256(hash)`, 'end', at(LAST, 4)],
    ['an end taken back', `update audit_head set seq = 2, hash = (select hash from audit_event where day = '${LAST}' and seq = 2)`, 'end', at(LAST, 3)],
    ['no end any more', `delete from audit_head`, 'end', at('', 0)],
  ] as const)('%s', async (_, statement, kind, place) => {
    await trail.tamper(statement)
    expect((await trail.verify()).fault).toMatchObject({ kind, at: place })
  })

  const forge = `do $$ declare h bytea := ''; r record; begin
    for r in select day, seq, line from audit_event order by day, seq loop
      h := audit_hash(h, r.day, r.seq, r.line);
      update audit_event set hash = h where day = r.day and seq = r.seq;
    end loop;
    update audit_day d set events = e.n, hash = (select hash from audit_event where day = d.day and seq = e.n) from (select day, max(seq) as n from audit_event group by day) e where e.day = d.day;
    update audit_head set (day, seq, hash) = (select day, seq, hash from audit_event order by day desc, seq desc limit 1);
  end $$`

  test('a trail made wholly anew, for whoever has an anchor', async () => {
    const anchors = [await hashAt(FIRST, 6)]
    const { line } = (await trail.database.sql`select line from audit_event where day = ${FIRST} and seq = 3`)[0] as unknown as { line: string }
    const changed = line.replace('nr 2', 'nr 9')
    await trail.tamper(`update audit_event set line = '${changed}' where day = '${FIRST}' and seq = 3; ${forge}`)
    expect(await trail.verify()).toMatchObject({ fault: undefined })
    expect((await trail.verify({ anchors })).fault).toMatchObject({ kind: 'anchor', at: at(FIRST, 6) })
  })

  test('an end that was cut off with every record of it, for whoever has an anchor', async () => {
    const anchors = [await hashAt(LAST, 4)]
    await trail.tamper(`delete from audit_event where day = '${LAST}' and seq > 2; ${forge}`)
    expect(await trail.verify()).toMatchObject({ fault: undefined })
    expect((await trail.verify({ anchors })).fault).toMatchObject({ kind: 'cut_off', at: at(LAST, 4) })
  })
})

describe('a trail that is said to be kept no longer is broken', () => {
  const everyDay = [at(FIRST, 6), at(SECOND, 5), at(LAST, 4)]
  const anchorsOf = () => Promise.all(everyDay.map(({ day, seq }) => hashAt(day, seq)))
  /** All of it is gone, and the gateway goes on behind it. */
  const EMPTIED = `update audit_day set forgotten = true; insert into audit_day select day, seq, hash, true from audit_head; delete from audit_event; update audit_head set seq = 0`

  test('by days that retention keeps', async () => {
    await trail.database.sql`select audit_forget(1, 1000)`
    expect((await trail.verify({ retentionDays: 365 })).fault).toMatchObject({ kind: 'removed', at: at(FIRST, 1), words: expect.stringContaining('--from 2026-08-02') })
    expect(await trail.verify({ retentionDays: 365, from: LAST })).toMatchObject({ fault: undefined, state: { events: 4 } })
  })

  test('by the last day, whatever retention says', async () => {
    await trail.tamper(EMPTIED)
    expect((await trail.verify()).fault).toMatchObject({ kind: 'end', at: at(LAST, 4) })
    await trail.append(2, '2026-08-05')
    expect((await trail.verify({ retentionDays: 2 })).fault).toMatchObject({ kind: 'removed', at: at(LAST, 1) })
  })

  test('by an end in the future', async () => {
    await trail.tamper(`${EMPTIED}; update audit_head set day = '2026-08-05'`)
    expect((await trail.verify()).fault).toMatchObject({ kind: 'end', at: at('2026-08-05', 0) })
  })

  // Whoever may write the trail may also say what time it is there.
  test('by a database whose clock is years ahead', async () => {
    await setClock(trail.database, '2029-08-04T12:00:00Z')
    await trail.database.sql`select audit_forget(365, 1000)`
    expect((await trail.verify({ retentionDays: 365, now: new Date('2026-08-04T12:00:00Z') })).fault).toMatchObject({ kind: 'removed', at: at(FIRST, 1) })
    expect((await trail.verify({ retentionDays: 365, now: new Date('2029-08-04T12:00:00Z') })).fault).toBeUndefined()
  })

  test('by no clock that differs for a moment at midnight', async () => {
    await setClock(trail.database, '2026-08-05T00:00:01Z')
    await trail.database.sql`select audit_forget(1, 1000)`
    await trail.append(1, '2026-08-05')
    expect(await trail.verify({ retentionDays: 1, now: new Date('2026-08-04T23:59:59Z') })).toMatchObject({ fault: undefined, first: LAST })
  })

  test.each(["'infinity'", "'-infinity'", "'10000-01-01'", "'0044-03-15 BC'"])('by a day %s, which would keep anchors from being looked for', async (day) => {
    const anchors = await anchorsOf()
    await trail.tamper(`insert into audit_day values (${day}, 1, sha256('x'), true); do $$ declare h bytea := sha256('x'); r record; begin
      for r in select day, seq, line from audit_event order by day, seq loop
        h := audit_hash(h, r.day, r.seq, r.line);
        update audit_event set hash = h where day = r.day and seq = r.seq;
        update audit_day set hash = h where day = r.day and events = r.seq and r.day < '${LAST}';
      end loop;
      update audit_head set hash = h;
    end $$`)
    expect((await trail.verify({ anchors: [{ ...(anchors[2] as Head) }] })).fault).toBeDefined()
    expect((await trail.verify()).fault).toMatchObject({ kind: 'end' })
  })

  test('for whoever has anchors that say more, or something else, of such a day', async () => {
    const anchors = await anchorsOf()
    await trail.database.sql`select audit_forget(2, 1000)`
    expect(await trail.verify({ anchors, retentionDays: 2 })).toMatchObject({ fault: undefined, state: { anchors: { held: 2, apart: 1 } } })
    await trail.tamper(`update audit_day set hash = sha256(hash) where day = '${FIRST}'`)
    expect((await trail.verify({ anchors, retentionDays: 2 })).fault).toMatchObject({ kind: 'anchor', at: at(FIRST, 6) })
    await trail.tamper(`update audit_day set events = 5 where day = '${FIRST}'`)
    expect((await trail.verify({ anchors, retentionDays: 2 })).fault).toMatchObject({ kind: 'anchor', at: at(FIRST, 6) })
    await trail.tamper(`delete from audit_day where day = '${FIRST}'`)
    expect((await trail.verify({ anchors, retentionDays: 2 })).fault).toMatchObject({ kind: 'cut_off', at: at(FIRST, 6) })
  })

  test('for whoever has an anchor behind its end', async () => {
    const anchors = [...(await anchorsOf()), { day: '2026-08-09', seq: 3, hash: 'ab'.repeat(32) }]
    expect((await trail.verify({ anchors })).fault).toMatchObject({ kind: 'cut_off', at: at('2026-08-09', 3) })
  })

  test('for whoever has two anchors of one place that differ', async () => {
    const genuine = await hashAt(LAST, 4)
    expect((await trail.verify({ anchors: [{ ...genuine, hash: 'cd'.repeat(32) }, genuine] })).fault).toMatchObject({ kind: 'anchor', at: at(LAST, 4) })
    expect((await trail.verify({ anchors: [genuine, genuine] })).fault).toBeUndefined()
  })

  test.each([
    ['before the first day of all', "'0001-01-01 BC'", 1],
    ['infinitely long ago', "'-infinity'", 1],
    ['on a day of the trail that never was', "'2026-07-30'", 1],
    ['behind the end of a day that was forgotten', "'2026-08-01'", 7],
  ])('by an event %s, and nobody is shown it', async (_, day, seq) => {
    await trail.database.sql`select audit_forget(2, 1000)`
    await trail.tamper(`insert into audit_event select ${day}, ${seq}, ts, evt, 'forged', issuer, 'bob', line, hash from audit_event where day = '${LAST}' and seq = 1`)
    expect((await trail.verify({ retentionDays: 2 })).fault).toMatchObject({ kind: 'inserted', words: 'the event stands in no day of the trail' })
    const filter = { evts: [], userId: 'bob', requestId: undefined, fromMs: undefined, toMs: undefined, isDescending: true }
    expect(await findEvents(trail.db, filter, { after: undefined, most: 10 })).toEqual([])
  })
})

describe('the app role', () => {
  test('cannot make the trail forget today', async () => {
    const failure = await trail.database.sql`select audit_forget(-1, 1000000)`.then(() => 'done', (error: Error) => error.message)
    expect(failure).toBe('the audit trail keeps a day at least')
  })

  // T233
  test.each([
    'update audit_event set line = line', 'delete from audit_event', 'truncate audit_event', "update audit_day set hash = ''", 'delete from audit_day', 'truncate audit_day',
    `insert into audit_event select day, seq + 100, ts, evt, request_id, issuer, sub, line, hash from audit_event`, 'insert into audit_event select * from audit_event where false', "insert into audit_day values ('2026-07-01', 1, '')", 'insert into audit_writer values (gen_random_uuid(), 1000000, now())', 'update audit_writer set last = last + 1000000', 'delete from audit_writer', 'truncate audit_writer', "update audit_head set hash = ''", 'delete from audit_head', 'truncate audit_head', "update audit_event set sub = 'nobody' where seq = 1",
  ])('may not rewrite the trail: %s', async (statement) => {
    const failure = await trail.database.sql.unsafe(statement).then(() => 'done', (error: Error) => error.message)
    expect(failure).toBe('the audit trail is append-only')
    expect(await trail.verify()).toMatchObject({ fault: undefined, state: { events: 15 } })
  })

  test('may not after it appended and forgot either, on the same connection', async () => {
    const [one] = await trail.database.sql.unsafe(`select audit_forget(2, 1000); select audit_append('[{"ts":"2026-08-04T12:00:00Z","evt":"x","line":"{\\"ts\\":\\"2026-08-04T12:00:00.000Z\\",\\"evt\\":\\"x\\"}"}]'); select current_setting('gatehouse.audit', true) as work`).then((all) => [all])
    expect(one).toBeDefined()
    await expect(trail.database.sql.unsafe('delete from audit_event').then(() => 'done', (error: Error) => error.message)).resolves.toBe('the audit trail is append-only')
    expect(await trail.verify()).toMatchObject({ fault: undefined, state: { events: 10 } })
  })
})

describe('at any place', () => {
  const rows = [...Array.from({ length: 6 }, (_, n) => at(FIRST, n + 1)), ...Array.from({ length: 5 }, (_, n) => at(SECOND, n + 1)), ...Array.from({ length: 4 }, (_, n) => at(LAST, n + 1))]
  /** Flips one bit of one byte of a text, so that it stays a text. */
  const flipped = (column: string, byte: number) => `convert_from(set_byte(convert_to(${column}, 'UTF8'), ${byte} % octet_length(${column}), get_byte(convert_to(${column}, 'UTF8'), ${byte} % octet_length(${column})) # 1), 'UTF8')`

  // Every byte of a hash, and every ASCII byte of a line, one place after the other.
  test.each(rows)('a byte of the line or of the hash is found where it was changed: %j', async ({ day, seq }) => {
    const [{ line }] = (await trail.database.sql`select line from audit_event where day = ${day} and seq = ${seq}`) as unknown as [{ line: string }]
    const ascii = [...Buffer.from(line).entries()].filter(([, byte]) => byte < 0x80).map(([index]) => index)
    const bytes = Array.from({ length: 8 }, (_, n) => ascii[(n * 37 + seq * 11) % ascii.length] as number)
    for (const byte of bytes) {
      await trail.tamper(`update audit_event set line = ${flipped('line', byte)} where day = '${day}' and seq = ${seq}`)
      expect((await trail.verify()).fault).toMatchObject({ kind: 'changed', at: at(day, seq) })
      await trail.restore()
      await trail.tamper(`update audit_event set hash = set_byte(hash, ${byte % 32}, get_byte(hash, ${byte % 32}) # 1) where day = '${day}' and seq = ${seq}`)
      expect((await trail.verify()).fault).toMatchObject({ at: at(day, seq) })
      await trail.restore()
    }
  })

  test.each(rows)('every column beside the line is found where it was changed, and so is a row that is gone: %j', async ({ day, seq }) => {
    const row = `where day = '${day}' and seq = ${seq}`
    for (const change of ["evt = evt || '.'", "ts = ts - interval '1 hour'", "request_id = request_id || 'x'", 'request_id = null', "issuer = 'x'", "sub = ''"]) {
      await trail.tamper(`update audit_event set ${change} ${row}`)
      expect((await trail.verify()).fault).toMatchObject({ kind: 'changed', at: at(day, seq) })
      await trail.restore()
    }
    await trail.tamper(`delete from audit_event ${row}`)
    expect((await trail.verify()).fault?.at).toEqual(at(day, seq))
    await trail.restore()
    await trail.tamper(`update audit_event set day = day - 5 ${row}`)
    expect((await trail.verify()).fault).toBeDefined()
  })
})
