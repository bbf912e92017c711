// OpenID Connect Core §12 and RFC 6749 §6 as a relying party: who keeps a session, who loses it, and who is asked to
// come back later.
import { afterAll, describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { issuerSchema } from '../../src/oidc/config.ts'
import { createRelyingParty } from '../../src/oidc/relying-party.ts'
import type { Identity } from '../../src/principal.ts'
import { startEvilIdp, type EvilIdp, type Faults } from '../support/evil-idp.ts'

const running: { stop(): void }[] = []
afterAll(() => running.forEach((server) => server.stop()))

const guarded = createGuardedFetch({ allowLoopback: true })

interface Options {
  config?: Record<string, unknown>
  faults?: Faults
  timeoutMs?: number
  previous?: Partial<Identity>
  graphOrigin?: string
  idp?: EvilIdp
}

/** A relying party and one refresh of alice's session. */
async function setup({ config = {}, faults = {}, timeoutMs = 5_000, previous = {}, graphOrigin, idp = startEvilIdp() }: Options = {}) {
  running.push(idp)
  const parsed = v.parse(issuerSchema, { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, ...config })
  const directories = graphOrigin === undefined ? {} : { directories: { graphOrigin } }
  const relyingParty = await createRelyingParty({ config: parsed, publicUrl: 'https://gateway.example', fetch: guarded, observe: () => {}, timeoutMs, ...directories })
  Object.assign(idp.faults, faults)
  const identity: Identity = { issuer: idp.issuer, sub: 'alice', email: 'alice@corp.example', name: 'Alice', groups: ['staff'], ...previous }
  return { idp, refresh: () => relyingParty.refresh('old-refresh-token', { sub: 'alice', previous: identity }) }
}

const withoutIdToken: Faults = { idToken: () => undefined }
const claims = (changes: Record<string, unknown>): Faults => ({ claims: (honest) => ({ ...honest, ...changes }) })

describe('a refresh that the provider grants', () => {
  test('takes the person from the new id_token, without a nonce', async () => {
    const { idp, refresh } = await setup({ faults: claims({ name: 'Alice B', groups: ['leads'], email: 'new@corp.example' }) })
    expect(await refresh()).toEqual({
      ok: true,
      identity: { issuer: idp.issuer, sub: 'alice', email: 'new@corp.example', name: 'Alice B', groups: ['leads'] },
      idpRefreshToken: 'refresh-token-canary',
    })
    expect(Object.fromEntries(idp.last('/token').body)).toEqual({ grant_type: 'refresh_token', refresh_token: 'old-refresh-token' })
  })

  test('keeps the old refresh token when no new one comes (RFC 6749 §6)', async () => {
    const { refresh } = await setup({ faults: { tokenResponse: (document) => ({ ...document, refresh_token: undefined }) } })
    expect(await refresh()).toMatchObject({ ok: true, idpRefreshToken: 'old-refresh-token' })
  })

  test('asks userinfo when no id_token comes', async () => {
    const { idp, refresh } = await setup({ faults: withoutIdToken })
    idp.userinfo = { sub: 'alice', email: 'fresh@corp.example', groups: ['leads'] }
    expect(await refresh()).toMatchObject({ ok: true, identity: { email: 'fresh@corp.example', name: 'Alice', groups: ['leads'] } })
  })

  test('keeps what was known where neither says anything', async () => {
    const silent = await setup({ faults: withoutIdToken })
    silent.idp.userinfo = { sub: 'alice' }
    const known = { email: 'alice@corp.example', name: 'Alice', groups: ['staff'] }
    expect(await silent.refresh()).toMatchObject({ ok: true, identity: known })

    const idp = startEvilIdp()
    idp.faults.discovery = (document) => ({ ...document, userinfo_endpoint: undefined })
    const without = await setup({ faults: withoutIdToken, idp })
    expect(await without.refresh()).toMatchObject({ ok: true, identity: known })
    expect(idp.count('/userinfo')).toBe(0)
  })

  // T041
  test('takes groups away that the new id_token and userinfo no longer name', async () => {
    const { idp, refresh } = await setup()
    idp.userinfo = { sub: 'alice' }
    expect(await refresh()).toMatchObject({ ok: true, identity: { email: 'alice@corp.example', name: 'Alice', groups: [] } })
    expect(idp.count('/userinfo')).toBe(1)
  })

  test('believes an empty list of groups without asking further', async () => {
    const { idp, refresh } = await setup({ faults: claims({ groups: [] }) })
    expect(await refresh()).toMatchObject({ ok: true, identity: { groups: [] } })
    expect(idp.count('/userinfo')).toBe(0)
  })

  test('admits anew: domain, group, verification', async () => {
    const domain = { config: { allowed_email_domains: ['corp.example'] } }
    expect(await (await setup({ ...domain, faults: claims({ email: 'a@left.example' }) })).refresh()).toMatchObject({ ok: false, reason: 'email_domain', unavailable: false })
    expect(await (await setup({ ...domain, faults: claims({ email: undefined }) })).refresh()).toMatchObject({ ok: true, identity: { email: 'alice@corp.example' } })
    const group = { config: { allowed_groups: ['staff'] } }
    expect(await (await setup({ ...group, faults: claims({ groups: ['contractors'] }) })).refresh()).toMatchObject({ ok: false, reason: 'group', unavailable: false })
    expect(await (await setup({ faults: claims({ email_verified: 'false' }) })).refresh()).toMatchObject({ ok: false, reason: 'email_unverified', unavailable: false })
    const narrowed = await setup({ config: { allowed_groups: ['leads'] }, faults: withoutIdToken })
    narrowed.idp.userinfo = { sub: 'alice' }
    expect(await narrowed.refresh()).toMatchObject({ ok: false, reason: 'group', unavailable: false })
  })
})

describe('a refresh that ends the session', () => {
  test.each([['invalid_grant'], ['interaction_required'], ['login_required'], ['consent_required']])('is one the provider refuses with %s', async (error) => {
    const { refresh } = await setup({ faults: { tokenResponse: () => Response.json({ error }, { status: 400 }) } })
    expect(await refresh()).toEqual({ ok: false, reason: 'grant_refused', unavailable: false, detail: `${error} (400)` })
  })

  test('is one refused behind a challenge', async () => {
    const answer = () => Response.json({ error: 'invalid_grant' }, { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
    expect(await (await setup({ faults: { tokenResponse: answer } })).refresh()).toMatchObject({ reason: 'grant_refused', unavailable: false })
  })

  test.each([
    ['of another person', claims({ sub: 'mallory' }), 'id_token_subject'],
    ['of another issuer', claims({ iss: 'https://evil.example' }), 'id_token_issuer'],
    ['for another client', claims({ aud: 'other' }), 'id_token_audience'],
    ['that has expired', claims({ exp: 1 }), 'id_token_expired'],
    ['with a wrong at_hash', claims({ at_hash: 'x' }), 'id_token_access_token_hash'],
    ['without signature', { idToken: (token: string) => `${token.split('.').slice(0, 2).join('.')}.` }, 'id_token_signature'],
    ['of another algorithm', { header: (header: object) => ({ ...header, alg: 'RS512' }) }, 'id_token_algorithm'],
  ])('is one with an id_token %s, and userinfo is not asked', async (_, faults, reason) => {
    const { idp, refresh } = await setup({ config: { userinfo_fallback: true }, faults })
    expect(await refresh()).toMatchObject({ ok: false, reason, unavailable: false })
    expect(idp.count('/userinfo')).toBe(0)
  })

  test('is one whose userinfo is of another person', async () => {
    const { idp, refresh } = await setup({ faults: withoutIdToken })
    idp.userinfo = { sub: 'mallory', groups: ['admins'] }
    expect(await refresh()).toMatchObject({ ok: false, reason: 'userinfo_subject', unavailable: false })
  })
})

describe('a refresh that leaves the session alone', () => {
  test.each([
    ['an answer with status 500', () => new Response('canary', { status: 500 }), 'idp_unavailable'],
    ['an answer with status 503 that blames the grant', () => Response.json({ error: 'invalid_grant' }, { status: 503 }), 'idp_unavailable'],
    ['an answer with status 429', () => Response.json({ error: 'invalid_grant' }, { status: 429 }), 'idp_unavailable'],
    ['a request to come back', () => Response.json({ error: 'temporarily_unavailable' }, { status: 400 }), 'idp_unavailable'],
    ['an error about this client', () => Response.json({ error: 'invalid_client' }, { status: 401 }), 'client_refused'],
    ['an error about the request', () => Response.json({ error: 'invalid_request' }, { status: 400 }), 'idp_error'],
    ['a page with status 400', () => new Response('<html>invalid_grant', { status: 400, headers: { 'content-type': 'text/html' } }), 'token_response'],
    ['a page with status 200', () => new Response('<html>'), 'token_response'],
    ['no access token', () => ({ token_type: 'Bearer' }), 'token_response'],
    ['too much', () => ({ access_token: 'x'.repeat(1_000_000), token_type: 'Bearer' }), 'token_response'],
    ['silence', () => new Promise<Response>(() => {}), 'idp_unavailable'],
  ])('has met %s', async (_, tokenResponse, reason) => {
    const { refresh } = await setup({ faults: { tokenResponse }, timeoutMs: 300 })
    const outcome = await refresh()
    expect(outcome).toMatchObject({ ok: false, reason, unavailable: true })
    expect(JSON.stringify(outcome)).not.toContain('canary')
  })

  test('has met a provider that is gone', async () => {
    const { idp, refresh } = await setup()
    idp.stop()
    expect(await refresh()).toMatchObject({ ok: false, reason: 'idp_unavailable', unavailable: true })
  })

  test.each([
    ['keys that cannot be fetched', { jwks: () => new Response(null, { status: 503 }) }, 'idp_unavailable'],
    ['keys that are none', { jwks: () => ({}) }, 'signing_keys'],
    ['userinfo that fails', { ...withoutIdToken, userinfo: () => new Response(null, { status: 500 }) }, 'idp_unavailable'],
    ['userinfo that refuses', { ...withoutIdToken, userinfo: () => new Response(null, { status: 401 }) }, 'userinfo_failed'],
  ])('has met %s', async (_, faults, reason) => {
    const { refresh } = await setup({ faults })
    expect(await refresh()).toMatchObject({ ok: false, reason, unavailable: true })
  })
})

describe('Entra groups overage', () => {
  const pointer = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://evil.example/groups' } } }

  /** Microsoft Graph, as far as one call. */
  function startGraph(answer: () => Response) {
    const seen: string[] = []
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: (request) => {
        seen.push(`${request.headers.get('authorization')} ${new URL(request.url).pathname}`)
        return answer()
      },
    })
    running.push({ stop: () => void server.stop(true) })
    return { graphOrigin: `http://127.0.0.1:${server.port}`, seen }
  }

  test('asks Graph with the person’s access token, never the URL of the token', async () => {
    const { graphOrigin, seen } = startGraph(() => Response.json({ value: ['group-1'] }))
    const { refresh } = await setup({ config: { entra_groups_overage: true, allowed_groups: ['group-1'] }, faults: claims(pointer), graphOrigin })
    expect(await refresh()).toMatchObject({ ok: true, identity: { groups: ['group-1'] } })
    expect(seen).toEqual(['Bearer access-token-canary /v1.0/me/getMemberObjects'])
  })

  test('leaves the session alone when Graph fails', async () => {
    const { graphOrigin } = startGraph(() => new Response(null, { status: 403 }))
    const { refresh } = await setup({ config: { entra_groups_overage: true }, faults: claims(pointer), graphOrigin })
    expect(await refresh()).toMatchObject({ ok: false, reason: 'group_lookup', unavailable: true })
  })

  test('is not asked for groups that the token has', async () => {
    const { graphOrigin, seen } = startGraph(() => Response.json({ value: [] }))
    const { refresh } = await setup({ config: { entra_groups_overage: true }, faults: claims({ groups: ['staff'] }), graphOrigin })
    expect(await refresh()).toMatchObject({ ok: true, identity: { groups: ['staff'] } })
    expect(seen).toEqual([])
  })

  test('has no groups where the operator has not allowed the lookup', async () => {
    const { refresh } = await setup({ faults: claims(pointer) })
    expect(await refresh()).toMatchObject({ ok: true, identity: { groups: [] } })
  })
})
