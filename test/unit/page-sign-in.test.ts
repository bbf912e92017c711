// Which browsers a replica knows to be signed in, and which it does not let ask for ever. The store answers as the test says.
import { describe, expect, test } from 'bun:test'
import type { Database } from '../../src/db/connect.ts'
import { DatabaseError } from '../../src/db/database-error.ts'
import { setContext } from '../../src/http/request-context.ts'
import { createLeftHere } from '../../src/me/left-here.ts'
import { createPageSignIn, type PageSignInDeps } from '../../src/me/page-sign-in.ts'
import { MY_PAGE, STATUS_PAGE } from '../../src/me/pages.ts'
import type { PageSession } from '../../src/me/store.ts'

const HERE = 'https://gateway.example'
const cookieOf = (name: string) => `__Host-gatehouse-me=${name.padEnd(43, '-')}`
const isAdministrator = ({ groups }: PageSession) => groups.includes('admins')

function setup({ max = 1_000_000 }: { max?: number } = {}) {
  const revoked = new Set<string>()
  let store: 'up' | 'away' = 'up'
  let person = { sub: 'alice', groups: ['admins'] }
  const statements: (() => void)[] = []
  const run = async () => {
    statements.shift()?.()
    if (store === 'away') throw new DatabaseError('unreachable', 'not reachable')
    return [{ sid: `sid-of-${person.sub}`, issuer: 'https://idp.example', email: null, name: null, seconds_left: 3600, ...person }]
  }
  const deps = {
    db: { run } as unknown as Database,
    publicUrl: HERE,
    relyingParty: { authorizationOrigin: 'https://idp.example' },
    formActionOrigins: [],
    rateLimits: { device_verify: { max, window_seconds: 600 } },
    observe: () => {},
    now: () => new Date(0),
    nowMs: () => 0,
    revocations: { isRevoked: (sid: string) => revoked.has(sid), add: (sid: string) => void revoked.add(sid) },
  } as unknown as PageSignInDeps
  const pages = createPageSignIn(deps)
  const asked = (cookie: string, method = 'GET') => {
    const request = new Request(`${HERE}/status`, { method, headers: { cookie, 'sec-fetch-site': 'same-origin' } })
    setContext(request, { requestId: 'r', clientIp: '192.0.2.1' } as Parameters<typeof setContext>[1])
    return request
  }
  /** Who is seen, or the status of the page that is shown instead; `away` where only the store could say. */
  const look = async (cookie: string, page = STATUS_PAGE, isAllowed: typeof isAdministrator | undefined = page === STATUS_PAGE ? isAdministrator : undefined) => {
    const seen = await pages.require(asked(cookie), page, isAllowed).catch((error: unknown) => error)
    return seen instanceof Response ? seen.status : seen instanceof DatabaseError ? 'away' : (seen as PageSession).sub
  }
  return {
    look,
    leave: async (cookie: string, page = STATUS_PAGE) => (await pages.end(asked(cookie, 'POST'), page)).status,
    is: (sub: string, groups: string[] = []) => void (person = { sub, groups }),
    set: (next: typeof store) => void (store = next),
    /** While the next statement is under way. */
    during: (work: () => void) => void statements.push(work),
    revoked,
  }
}

describe('signing out while the store is away', () => {
  test('ends the cookie at once, also once the store is back', async () => {
    const { look, leave, set, revoked } = setup()
    expect(await look(cookieOf('mine'))).toBe('alice')
    set('away')
    expect(await look(cookieOf('mine'))).toBe('alice')
    expect(await leave(cookieOf('mine'))).toBe(503)
    expect([...revoked]).toEqual(['sid-of-alice'])
    expect(await look(cookieOf('mine'))).toBe('away')
    set('up')
    expect([await look(cookieOf('mine')), await look(cookieOf('mine'), MY_PAGE)]).toEqual([200, 200])
  })

  test('ends a cookie that this replica has not seen before, and no other', async () => {
    const { look, leave, set } = setup()
    set('away')
    expect(await leave(cookieOf('unseen'), MY_PAGE)).toBe(503)
    set('up')
    expect([await look(cookieOf('unseen'), MY_PAGE), await look(cookieOf('other'), MY_PAGE)]).toEqual([200, 'alice'])
  })

  test('is not undone by a look that the store answered meanwhile', async () => {
    const { look, leave, set, during } = setup()
    set('away')
    let left: Promise<number> | undefined
    during(() => {
      left = leave(cookieOf('mine'))
      set('up')
    })
    during(() => set('away'))
    const seen = await look(cookieOf('mine'))
    expect([await left, seen]).toEqual([503, 200])
  })

  test('leaves nothing behind where the store has heard of it', async () => {
    const { look, leave, revoked } = setup()
    expect([await leave(cookieOf('mine')), [...revoked]]).toEqual([303, []])
    // The store says whether it lives: here it says that it does.
    expect(await look(cookieOf('mine'))).toBe('alice')
  })
})

describe('while the store is away', () => {
  test('administrators are known however many others have looked', async () => {
    const { look, is, set } = setup()
    await look(cookieOf('admin'))
    is('mallory')
    for (let n = 0; n < 1001; n++) await look(cookieOf(`m${n}`))
    set('away')
    expect([await look(cookieOf('admin')), await look(cookieOf('m1000'))]).toEqual(['alice', 'away'])
  })

  test('of a thousand administrators the one seen last is known, and of one more the first is not', async () => {
    const { look, set } = setup()
    for (let n = 0; n < 1001; n++) await look(cookieOf(`a${n}`))
    set('away')
    expect([await look(cookieOf('a0')), await look(cookieOf('a1')), await look(cookieOf('a1000'))]).toEqual(['away', 'alice', 'alice'])
  })
})

describe('looks at a page', () => {
  test('are free for whoever may see it, and counted for others, who may see what is theirs', async () => {
    const { look, is } = setup({ max: 1 })
    for (let n = 0; n < 30; n++) expect(await look(cookieOf('admin'))).toBe('alice')
    is('bob')
    for (let n = 0; n < 30; n++) expect(await look(cookieOf('bob'), MY_PAGE)).toBe('bob')
    for (let n = 0; n < 10; n++) expect(await look(cookieOf('bob'))).toBe('bob')
    expect(await look(cookieOf('bob'))).toBe(429)
  })

  test('count with sign-outs by cookies that open nothing, which end nobody else’s', async () => {
    const { look, leave, set } = setup({ max: 1 })
    expect(await look(cookieOf('mine'))).toBe('alice')
    set('away')
    for (let n = 0; n < 10; n++) expect(await leave(cookieOf(`invented${n}`))).toBe(503)
    expect(await leave(cookieOf('invented'))).toBe(429)
    expect(await leave(cookieOf('mine'))).toBe(503)
  })

  test('are not taken up by sign-outs that end something', async () => {
    const { leave } = setup({ max: 1 })
    for (let n = 0; n < 30; n++) expect(await leave(cookieOf(`living${n}`))).toBe(303)
  })
})

describe('cookies that were left here', () => {
  test('are dead as long as any could live, and then forgotten; of too many the first is forgotten', () => {
    let nowMs = 0
    const left = createLeftHere(10, () => nowMs)
    left.add('a', true)
    nowMs = 9999
    left.add('b', true)
    expect([left.has('a'), left.has('b')]).toEqual([true, true])
    nowMs = 10_000
    left.add('c', true)
    expect([left.has('a'), left.has('b'), left.has('c')]).toEqual([false, true, true])
    for (let n = 0; n < 10_000; n++) left.add(`x${n}`, true)
    expect([left.has('c'), left.has('x0'), left.has('x9999')]).toEqual([false, true, true])
  })

  test('are not driven out by cookies that never were one', () => {
    const left = createLeftHere(10, () => 0)
    left.add('a', true)
    left.add('a', false)
    for (let n = 0; n < 20_000; n++) left.add(`invented${n}`, false)
    expect([left.has('a'), left.has('invented0'), left.has('invented19999')]).toEqual([true, false, true])
    left.delete('a')
    expect(left.has('a')).toBe(false)
  })
})
