// `gatehouse audit verify`, as somebody types it.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyAudit, type VerifyQuery } from '../../src/audit/verify.ts'
import { createTrail } from '../../src/audit/trail.ts'
import { openStore } from '../../src/db/open-store.ts'
import { auditLine } from '../../src/observe/audit-line.ts'
import type { Observation } from '../../src/observe/events.ts'
import { startTrail, type TestTrail } from '../support/audit-trail.ts'
import { createTestDatabase } from '../support/database.ts'

let trail: TestTrail
let scratch: string
let config: string
const configFor = async (name: string, store: object) => {
  const file = join(scratch, name)
  await Bun.write(file, JSON.stringify({ listen: { public_url: 'https://gateway.example.com' }, oidc: { issuer: 'https://idp.example.com', client_id: 'x', client_secret: 'y', allowed_email_domains: ['example.com'] }, session: { jwt_secret: 'a-test-secret-of-more-than-thirty-two-bytes' }, store, upstreams: [{ provider: 'anthropic', auth: { api_key: 'sk-x' } }] }))
  return file
}
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  trail = await startTrail()
  await trail.append(6000, '2026-08-01')
  await trail.append(3, '2026-08-02')
  config = await configFor('gateway.yaml', { postgres_url: trail.database.url })
}, 30_000)
afterAll(async () => {
  await trail.stop()
  await rm(scratch, { recursive: true, force: true })
})

const verify = (query: Partial<VerifyQuery> = {}) => verifyAudit({ config, from: undefined, to: undefined, anchors: [], anchorsFile: undefined, environment: {}, color: false, progress: undefined, ...query })
const head = async () => (await trail.database.sql`select day::text, seq, encode(hash, 'hex') as hash from audit_head`)[0] as unknown as { day: string; seq: string; hash: string }

describe('gatehouse audit verify', () => {
  test('says what is proved and where it ends, and how far it is meanwhile', async () => {
    const heard: string[] = []
    const { text, exitCode } = await verify({ progress: (words) => heard.push(words) })
    expect([text, exitCode]).toEqual([`whole: 6,003 events of 2 days, from 2026-08-01 to 2026-08-02:3\n  ends with ${(await head()).hash}\n`, 0])
    expect(heard).toEqual(['2026-08-01  4,936 events', '2026-08-02  6,003 events', ''])
  })

  test('names the first break, and ends with 1', async () => {
    await trail.keep()
    await trail.tamper(`update audit_event set line = replace(line, 'nr 5500', 'nr 5501') where day = '2026-08-01' and seq = 5501`)
    expect(await verify()).toMatchObject({ exitCode: 1, text: 'broken at 2026-08-01:5501: the event was changed, or the one before it with its hash: they do not fit each other, and the next one fits\n  proved before it: 5,500 events of 1 day, from 2026-08-01 to 2026-08-01:5500\n' })
    expect((await verify({ color: true })).text).toStartWith('\u001b[31mbroken\u001b[0m at \u001b[1m2026-08-01:5501\u001b[0m')
    expect((await verify({ from: '2026-08-02' })).exitCode).toBe(0)
    await trail.restore()
  })

  test('takes anchors from a log, among whatever else is in it', async () => {
    const { day, seq, hash } = await head()
    const log = join(scratch, 'gateway.log')
    const line = auditLine({ ts: '2026-08-02T13:00:00.000Z', evt: 'audit.anchor', day, seq: Number(seq), hash })
    await Bun.write(log, `[gateway] started\n{"evt":"auth.denied"}\nAug 02 13:00:00 host gatehouse[1]: ${line}\n${line}\n`)
    expect(await verify({ anchorsFile: log })).toMatchObject({ exitCode: 0, text: expect.stringContaining('  1 anchor holds\n') })
    await Bun.write(log, line.replace(hash, hash.replace(/./g, 'a')))
    expect(await verify({ anchorsFile: log })).toMatchObject({ exitCode: 1, text: expect.stringMatching(/^broken at 2026-08-02:3: the event has hash /) })
    const quoted = JSON.stringify(line.replace(hash, 'ab'.repeat(32)))
    await Bun.write(log, `[gateway] 2026-08-02T13:00:00.000Z warn upstream: 400 ${line.replace(hash, 'ab'.repeat(32))}\n{"ts":"2026-08-02T13:00:00.000Z","level":"warn","message":${quoted}}\n${line}\n`)
    expect(await verify({ anchorsFile: log })).toMatchObject({ exitCode: 0, text: expect.stringContaining('  1 anchor holds\n') })
    await Bun.write(log, 'nothing\n')
    await expect(verify({ anchorsFile: log })).rejects.toThrow(`audit verify: ${log} holds no line with "evt":"audit.anchor"`)
    await expect(verify({ anchorsFile: join(scratch, 'none') })).rejects.toThrow('cannot read')
  })

  test('says when there is nothing to read', async () => {
    const empty = await createTestDatabase({ migrated: false })
    await expect(verify({ config: await configFor('empty.yaml', { postgres_url: empty.url }) })).rejects.toThrow('audit verify: this database has no audit trail')
    await empty.drop()
    const unused = await createTestDatabase()
    expect(await verify({ config: await configFor('unused.yaml', { postgres_url: unused.url }) })).toEqual({ text: 'whole: no events\n', exitCode: 0 })
    await unused.drop()
  })

  test('reads what a gateway stored inside itself', async () => {
    const store = { embedded: join(scratch, 'store') }
    const said: Observation[] = []
    const opened = await openStore({ ...store, max_connections: 5, readiness_grace_seconds: 0 }, () => {})
    const inside = createTrail({ db: opened.db, tell: (one) => said.push(one), onFailure: 'continue', retentionDays: 365, now: () => new Date(), nowMs: () => performance.now() })
    for (let n = 0; n < 700; n++) inside.observe({ evt: 'access.denied', reason: `nr ${n}`, path: '/' })
    await inside.stop()
    await opened.close()
    expect(said.at(-1)).toMatchObject({ evt: 'audit.anchor', seq: 700 })
    expect(await verify({ config: await configFor('embedded.yaml', store) })).toMatchObject({ exitCode: 0, text: expect.stringMatching(/^whole: 700 events of 1 day, from /) })
  }, 60_000)
})
