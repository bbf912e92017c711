// The admin API of spend limits, call by call (contract §6 and §9).
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { ADMIN, adminCalls, LIMITS, READ_KEY, type Call, WRITE_KEY } from '../support/admin.ts'
import { startWorld, type World } from '../support/gateway.ts'

let world: World
let call: Call
let token: string
beforeAll(async () => {
  world = await startWorld({ config: { admin: ADMIN } })
  call = adminCalls(world.gateway)
  token = (await world.signIn('alice')).access_token
})
afterAll(() => world.stop())
beforeEach(async () => {
  await world.database.sql`delete from spend_limit`
})

const ORGANIZATION = { type: 'organization' }
const ALICE = { type: 'user', user_id: 'alice' }
const ID = expect.stringMatching(/^spl_[0-9a-f]{32}$/) as unknown as string
const MOMENT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown as string
const rows = async () => Number((await world.database.sql`select count(*) from spend_limit`)[0]?.count)
const audits = async () => Number((await world.database.sql`select count(*) from spend_limit_audit`)[0]?.count)

/** The message of a refusal in the Anthropic envelope, whose id is the header's. */
async function refusal(asked: Promise<{ status: number; body: { type: string; request_id: string; error: { type: string; message: string } }; headers: Headers }>): Promise<[number, string, string]> {
  const { status, body, headers } = await asked
  expect(body.type).toBe('error')
  expect(body.request_id).toBe(headers.get('request-id') as string)
  expect(body.request_id).toMatch(/^req_[0-9a-f]{32}$/)
  return [status, body.error.type, body.error.message]
}

describe('POST', () => {
  test.each([
    ['the organisation', ORGANIZATION],
    ['a group', { type: 'rbac_group', rbac_group_id: 'engineering' }],
    ['a person', ALICE],
  ])('sets the limit of %s, in exactly the contract’s shape', async (_, scope) => {
    const { status, body, headers } = await call('POST', '', { scope, amount: '50000', period: 'daily' })
    expect(status).toBe(200)
    expect(body).toEqual({ type: 'spend_limit', id: ID, created_at: MOMENT, updated_at: MOMENT, scope, amount: '50000', currency: 'USD', period: 'daily' })
    expect(headers.get('request-id')).toBe(`req_${headers.get('x-request-id')?.replaceAll('-', '')}`)
    expect(headers.get('cache-control')).toBe('no-store')
    expect((await call('GET', `/${body.id}`)).body).toEqual(body)
  })

  test('takes a month where no period is named, null for no limit, and zero', async () => {
    expect((await call('POST', '', { scope: ALICE, amount: null })).body).toMatchObject({ amount: null, period: 'monthly' })
    expect((await call('POST', '', { scope: ALICE, amount: '0', period: 'weekly', currency: 'USD' })).body).toMatchObject({ amount: '0', period: 'weekly' })
  })

  test('replaces the limit of the same scope and period, keeping its id and when it was created', async () => {
    const first = (await call('POST', '', { scope: ALICE, amount: '100' })).body
    const second = (await call('POST', '', { scope: ALICE, amount: '200' })).body
    expect(second).toEqual({ ...first, amount: '200', updated_at: MOMENT })
    expect(Date.parse(second.updated_at)).toBeGreaterThanOrEqual(Date.parse(first.updated_at))
    const others = await Promise.all([call('POST', '', { scope: ALICE, amount: '1', period: 'daily' }), call('POST', '', { scope: ORGANIZATION, amount: '1' }), call('POST', '', { scope: { ...ALICE, user_id: 'bob' }, amount: '1' })])
    expect(new Set([first.id, ...others.map(({ body }) => body.id)]).size).toBe(4)
  })

  test('of many at once leaves one limit, of which all were told the same id', async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, (_, at) => call('POST', '', { scope: ALICE, amount: String(at) })))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(await rows()).toBe(1)
  })

  test('converts dollars exactly', async () => {
    expect((await call('POST', '', { scope: ALICE, amount_usd: '12.10' })).body).toMatchObject({ amount: '1210' })
  })

  test('keeps a pool beside the limit of each member', async () => {
    const scope = { type: 'rbac_group', rbac_group_id: 'engineering' }
    const each = (await call('POST', '', { scope, amount: '100' })).body
    const pool = (await call('POST', '', { scope, amount: '900', shared: true })).body
    expect(pool).toEqual({ ...each, id: ID, created_at: MOMENT, updated_at: MOMENT, amount: '900', shared: true })
    expect(pool.id).not.toBe(each.id)
    expect(await rows()).toBe(2)
  })

  test('warns where nobody was seen that the limit is meant for, and sets it', async () => {
    const { status, body } = await call('POST', '', { scope: { type: 'user', user_id: 'zoe@example.com' }, amount: '1' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ matched: false, warning: 'nobody with the user_id "zoe@example.com" has signed in; the limit is theirs when they do; user_id is the subject (sub) of the identity provider, an address goes into user_email' })
    expect((await call('GET', `/${body.id}`)).body).toMatchObject({ matched: false })
    expect((await call('GET', '')).body.data).toMatchObject([{ id: body.id, matched: false }])
    const group = (await call('POST', '', { scope: { type: 'rbac_group', rbac_group_id: 'Engineering' }, amount: '1' })).body
    expect(group.warning).toBe('nobody who has signed in is in a group "Engineering"; names of groups are exact and case-sensitive')
  })

  test('finds who signed in with an address, in any case', async () => {
    const { body } = await call('POST', '', { scope: { type: 'user', user_email: 'ALICE@example.com' }, amount: '1' })
    expect(body).toEqual({ type: 'spend_limit', id: ID, created_at: MOMENT, updated_at: MOMENT, scope: ALICE, amount: '1', currency: 'USD', period: 'monthly' })
    expect((await call('POST', '', { scope: ALICE, amount: '2' })).body.id).toBe(body.id)
  })

  test.each<[string, unknown, string]>([
    ['nothing', '', 'body: is not JSON'],
    ['no JSON', '{"scope":', 'body: is not JSON'],
    ['a byte order mark', '\ufeff{}', 'body: is not JSON'],
    ['a list', '[]', 'body: must be a JSON object'],
    ['an empty object', {}, 'scope: is required'],
    ['a scope of text', { scope: 'organization', amount: '1' }, 'scope: must be an object such as {"type": "organization"}'],
    ['an unknown scope', { scope: { type: 'seat_tier' }, amount: '1' }, 'scope.type: must be one of organization, rbac_group, user'],
    ['a scope called as every object has it', { scope: { type: 'toString' }, amount: '1' }, 'scope.type: must be one of organization, rbac_group, user'],
    ['a person without a name', { scope: { type: 'user' }, amount: '1' }, 'scope.user_id: is required'],
    ['a blank name', { scope: { type: 'user', user_id: ' ' }, amount: '1' }, 'scope.user_id: must be text with something in it'],
    ['a number for a name', { scope: { type: 'user', user_id: 5 }, amount: '1' }, 'scope.user_id: must be text with something in it'],
    ['a list of names', { scope: { type: 'user', user_id: ['alice'] }, amount: '1' }, 'scope.user_id: must be text with something in it'],
    ['two names', { scope: { ...ALICE, user_email: 'a@b.c' }, amount: '1' }, 'scope: takes user_id or user_email, not both'],
    ['no address', { scope: { type: 'user', user_email: 'alice' }, amount: '1' }, 'scope.user_email: must be one e-mail address'],
    ['two addresses', { scope: { type: 'user', user_email: 'a@b.c, d@e.f' }, amount: '1' }, 'scope.user_email: must be one e-mail address'],
    ['a NUL', { scope: { type: 'user', user_id: 'a\u0000' }, amount: '1' }, 'scope.user_id: has a character that cannot be printed'],
    ['a line break', { scope: { type: 'user', user_id: 'a\nb' }, amount: '1' }, 'scope.user_id: has a character that cannot be printed'],
    ['an escape sequence', { scope: ALICE, amount: '1', reason: '\u001b[31mred' }, 'reason: has a character that cannot be printed'],
    ['a reversed line', { scope: ALICE, amount: '1', reason: 'x\u202ey' }, 'reason: has a character that cannot be printed'],
    ['half a character', '{"scope":{"type":"user","user_id":"\\ud800"},"amount":"1"}', 'scope.user_id: has a character that cannot be printed'],
    ['a long name', { scope: { type: 'user', user_id: 'a'.repeat(321) }, amount: '1' }, 'scope.user_id: is longer than 320 characters'],
    ['a long reason', { scope: ALICE, amount: '1', reason: 'a'.repeat(1001) }, 'reason: is longer than 1000 characters'],
    ['a name for the organisation', { scope: { type: 'organization', user_id: 'alice' }, amount: '1' }, 'scope.user_id: unknown'],
    ['no amount', { scope: ALICE }, 'amount: is required: whole cents as text, such as "1200", or null for no limit'],
    ['a number', { scope: ALICE, amount: 1200 }, 'amount: must be text, such as "1200", not a number'],
    ['a negative amount', { scope: ALICE, amount: '-1' }, 'amount: must be whole cents as text, such as "1200", at most "100000000000"; for dollars there is amount_usd'],
    ['a fraction of a cent', { scope: ALICE, amount: '12.5' }, 'amount: must be whole cents as text, such as "1200", at most "100000000000"; for dollars there is amount_usd'],
    ['more than there is', { scope: ALICE, amount: '9'.repeat(40) }, 'amount: must be whole cents as text, such as "1200", at most "100000000000"; for dollars there is amount_usd'],
    ['true', { scope: ALICE, amount: true }, 'amount: must be whole cents as text, such as "1200", at most "100000000000"; for dollars there is amount_usd'],
    ['a third decimal', { scope: ALICE, amount_usd: '12.101' }, 'amount_usd: must be dollars as text, such as "12.10", with two decimals at most, and at most "1000000000"'],
    ['dollars as a number', { scope: ALICE, amount_usd: 12.1 }, 'amount_usd: must be text, such as "12.10", not a number'],
    ['dollars of null', { scope: ALICE, amount_usd: null }, 'amount_usd: must be dollars as text, such as "12.10", with two decimals at most, and at most "1000000000"'],
    ['both amounts', { scope: ALICE, amount: '1', amount_usd: '1' }, 'amount: is given beside amount_usd: name one of them'],
    ['an unknown period', { scope: ALICE, amount: '1', period: 'yearly' }, 'period: must be one of daily, weekly, monthly'],
    ['another currency', { scope: ALICE, amount: '1', currency: 'EUR' }, 'currency: must be USD'],
    ['a person’s pool', { scope: ALICE, amount: '1', shared: true }, 'shared: is for a group or the organization: one person shares with nobody'],
    ['a text for a switch', { scope: ORGANIZATION, amount: '1', shared: 'true' }, 'shared: must be true or false'],
    ['a moment without its zone', { scope: ALICE, amount: '1', expires_at: '2999-01-01T00:00:00' }, 'expires_at: must be a moment of RFC 3339, such as "2026-01-31T18:00:00Z"'],
    ['a day that is none', { scope: ALICE, amount: '1', expires_at: '2999-13-01T00:00:00Z' }, 'expires_at: must be a moment of RFC 3339, such as "2026-01-31T18:00:00Z"'],
    ['a moment that is past', { scope: ALICE, amount: '1', expires_at: '2020-01-01T00:00:00Z' }, 'expires_at: is past'],
    // Mass assignment: what the program decides is not to be sent, and a typo must not set another limit.
    ['an id', { scope: ALICE, amount: '1', id: 'spl_00000000000000000000000000000000' }, 'id: unknown'],
    ['a moment of creation', { scope: ALICE, amount: '1', created_at: '2020-01-01T00:00:00Z' }, 'created_at: unknown'],
    ['whether it matched', { scope: ALICE, amount: '1', matched: true }, 'matched: unknown'],
    ['a typo', { scope: ALICE, amount: '1', perod: 'daily' }, 'perod: unknown'],
    ['a typo of the scope', { scope: { ...ALICE, userid: 'bob' }, amount: '1' }, 'scope.userid: unknown'],
    ['a prototype', '{"scope":{"type":"organization"},"amount":"1","__proto__":{"shared":true}}', '__proto__: unknown'],
    ['a constructor', '{"scope":{"type":"organization","constructor":{}},"amount":"1"}', 'scope.constructor: unknown'],
    ['a key twice', '{"scope":{"type":"organization"},"amount":"1","amount":"2"}', 'amount: is given twice'],
    ['a key of the scope twice', '{"scope":{"type":"user","user_id":"alice","user_id":"bob"},"amount":"1"}', 'scope.user_id: is given twice'],
  ])('of %s is refused and sets nothing', async (_, body, message) => {
    const before = await audits()
    expect(await refusal(call('POST', '', body))).toEqual([400, 'invalid_request_error', message])
    expect([await rows(), await audits()]).toEqual([0, before])
  })

  test('of more than 64 kB is refused', async () => {
    expect((await call('POST', '', { scope: ALICE, amount: '1', reason: 'a'.repeat(70_000) })).status).toBe(413)
  })
})

describe('a key that reads', () => {
  test('is told 403 before what it sends is looked at, and nothing happens', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '1' })).body
    const before = await audits()
    for (const [method, path, body] of [['POST', '', 'no JSON at all'], ['POST', '', { scope: ALICE, amount: '2' }], ['DELETE', `/${id}`, undefined]] as const) {
      expect(await refusal(call(method, path, body, { 'x-api-key': READ_KEY }))).toEqual([403, 'permission_error', 'requires write:spend_limits'])
    }
    expect(await world.gateway.saw('admin.denied', ({ actor }) => actor === 'admin-key:watch')).toMatchObject({ method: 'POST', path: LIMITS })
    expect((await call('GET', `/${id}`)).body.amount).toBe('1')
    expect(await audits()).toBe(before)
  })

  test('reads everything', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '1' })).body
    for (const path of ['', `/${id}`, '/effective', '/audit']) expect((await call('GET', path, undefined, { 'x-api-key': READ_KEY })).status).toBe(200)
  })
})

describe('whoever is no administrator', () => {
  const routes = [['POST', ''], ['GET', ''], ['GET', '/spl_00000000000000000000000000000000'], ['DELETE', '/spl_00000000000000000000000000000000'], ['GET', '/effective'], ['GET', '/audit'], ['PUT', ''], ['PATCH', '/effective']] as const

  test.each(routes)('is refused %s %s, whatever they present, and nothing happens', async (method, path) => {
    const body = method === 'GET' ? undefined : { scope: ORGANIZATION, amount: '0' }
    for (const headers of [{}, { authorization: `Bearer ${token}` }, { 'x-api-key': token }, { 'x-api-key': 'wrong' }, { 'x-api-key': WRITE_KEY.toUpperCase() }, { authorization: `Bearer ${WRITE_KEY}` }]) {
      expect(await refusal(call(method, path, body, headers as never))).toEqual([401, 'authentication_error', 'missing or invalid admin credentials'])
    }
    expect(await rows()).toBe(0)
  })

  test('may be one by a group, and is named in the trail by their sub', async () => {
    const replica = await world.replica({ admin: { ...ADMIN, admin_groups: ['engineering'] } })
    const asAlice = { authorization: `Bearer ${token}` }
    const at = adminCalls(replica)
    expect((await at('POST', '', { scope: ORGANIZATION, amount: '1' }, asAlice)).status).toBe(200)
    expect((await at('GET', '/audit', undefined, asAlice)).body.data[0]).toMatchObject({ actor: 'oidc:alice', action: 'upsert' })
    const bob = (await world.signIn('bob')).access_token
    expect((await at('GET', '', undefined, { authorization: `Bearer ${bob}` })).status).toBe(401)
  })

  test('finds nothing there where no administrators are', async () => {
    const replica = await world.replica({ admin: undefined })
    for (const [method, path] of routes) {
      expect((await adminCalls(replica)(method, path, undefined, { authorization: `Bearer ${token}` })).status).toBe(404)
      expect((await adminCalls(replica)(method, path, undefined, {})).status).toBe(401)
    }
  })
})

describe('GET one, DELETE', () => {
  test('delete a limit once', async () => {
    const { id } = (await call('POST', '', { scope: ALICE, amount: '1' })).body
    expect((await call('DELETE', `/${id}`)).body).toEqual({ type: 'spend_limit_deleted', id })
    for (const method of ['GET', 'DELETE']) expect(await refusal(call(method, `/${id}`))).toEqual([404, 'not_found_error', 'spend limit not found'])
    expect((await call('POST', '', { scope: ALICE, amount: '1' })).body.id).not.toBe(id)
  })

  test.each(['spl_00000000000000000000000000000000', '1', '*', '%25', '6f9619ff-8b86-d011-b42d-00cf4fc964ff', 'spl_', "spl_'%20or%20'1'='1", 'SPL_00000000000000000000000000000000'])('know no limit called %s', async (id) => {
    await call('POST', '', { scope: ALICE, amount: '1' })
    for (const method of ['GET', 'DELETE']) expect(await refusal(call(method, `/${id}`))).toEqual([404, 'not_found_error', 'spend limit not found'])
    expect(await rows()).toBe(1)
  })
})

describe('GET the list', () => {
  const ids = ({ body }: { body: { data: { id: string }[] } }) => body.data.map(({ id }) => id)
  async function many(count: number): Promise<string[]> {
    const made: string[] = []
    for (let at = 0; at < count; at++) made.push((await call('POST', '', { scope: { type: 'rbac_group', rbac_group_id: `g${at}` }, amount: '1' })).body.id)
    return made
  }

  test('is empty', async () => {
    expect((await call('GET', '')).body).toEqual({ data: [], has_more: false, first_id: null, last_id: null })
  })

  test('is in order of creation, twenty at a time, forwards and backwards', async () => {
    const made = await many(23)
    const first = await call('GET', '')
    expect(ids(first)).toEqual(made.slice(0, 20))
    expect(first.body).toMatchObject({ has_more: true, first_id: made[0], last_id: made[19] })
    const second = await call('GET', `?after_id=${first.body.last_id}`)
    expect(ids(second)).toEqual(made.slice(20))
    expect(second.body).toMatchObject({ has_more: false, first_id: made[20], last_id: made[22] })
    const back = await call('GET', `?before_id=${second.body.first_id}&limit=5`)
    expect(ids(back)).toEqual(made.slice(15, 20))
    expect(back.body).toMatchObject({ has_more: true, first_id: made[15], last_id: made[19] })
    expect((await call('GET', `?before_id=${made[2]}`)).body).toMatchObject({ has_more: false, first_id: made[0], last_id: made[1] })
    expect((await call('GET', `?after_id=${made[22]}`)).body).toMatchObject({ data: [], has_more: false })
  })

  test('goes on behind a limit that is deleted meanwhile', async () => {
    const made = await many(3)
    await call('DELETE', `/${made[1]}`)
    expect(ids(await call('GET', `?after_id=${made[1]}`))).toEqual([made[2] as string])
  })

  test('is of one kind of scope', async () => {
    await call('POST', '', { scope: ALICE, amount: '1' })
    await many(1)
    expect((await call('GET', '?scope_type=user')).body.data).toMatchObject([{ scope: ALICE }])
    expect((await call('GET', '?scope_type=organization')).body.data).toEqual([])
    expect((await call('GET', '?beta=true&order=desc')).body.data).toHaveLength(2)
  })

  test.each([
    ['limit=0', 'limit: must be a whole number from 1 to 1000'],
    ['limit=1001', 'limit: must be a whole number from 1 to 1000'],
    ['limit=1e9', 'limit: must be a whole number from 1 to 1000'],
    ['limit=-1', 'limit: must be a whole number from 1 to 1000'],
    ['limit=5&limit=6', 'limit: is given twice'],
    ['after_id=5', 'after_id: must be an id such as spl_…, from an answer'],
    ['before_id=spl_zz', 'before_id: must be an id such as spl_…, from an answer'],
    ["after_id=spl_00000000000000000000000000000000'--", 'after_id: must be an id such as spl_…, from an answer'],
    ['after_id=%00', 'after_id: must be an id such as spl_…, from an answer'],
    ['after_id=spl_00000000000000000000000000000000&before_id=spl_00000000000000000000000000000000', 'before_id: is given beside after_id: name one of them'],
    ['scope_type=seat_tier', 'scope_type: must be one of organization, rbac_group, user'],
  ])('is refused with %s', async (query, message) => {
    expect(await refusal(call('GET', `?${query}`))).toEqual([400, 'invalid_request_error', message])
  })
})
