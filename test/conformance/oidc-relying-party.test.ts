// OpenID Connect Core 1.0 and Discovery 1.0 as a relying party, against a provider that can sign anything. userinfo is
// switched on throughout: every honest sign-in asks for it, so that a refusal shows by its absence.
import { afterAll, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import * as v from 'valibot'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { issuerSchema } from '../../src/oidc/config.ts'
import { createRelyingParty, type SignInOutcome } from '../../src/oidc/relying-party.ts'
import { CALLBACK, ecKey, encode, rsaKey, signToken, startEvilIdp, type EvilIdp, type EvilKey, type Faults } from '../support/evil-idp.ts'

const running: EvilIdp[] = []
afterAll(() => running.forEach((idp) => idp.stop()))

const guarded = createGuardedFetch({ allowLoopback: true })

interface Options {
  config?: Record<string, unknown>
  faults?: Faults
  timeoutMs?: number
  now?: () => Date
}

/** A provider, and a relying party that has discovered it. */
async function setup({ config = {}, faults = {}, timeoutMs = 5_000, now }: Options = {}) {
  const idp = startEvilIdp()
  running.push(idp)
  const relyingParty = await boot(idp, { config, timeoutMs, ...(now !== undefined && { now }) })
  Object.assign(idp.faults, faults)
  /** One sign-in from start to end; `change` is what happens to the browser's way back. */
  async function signIn(change: (callback: URL) => void = () => {}): Promise<SignInOutcome> {
    const start = await relyingParty.startSignIn()
    const url = idp.authorize(start.url)
    change(url)
    return relyingParty.finishSignIn({ ...start, url })
  }
  return { idp, relyingParty, signIn }
}

function boot(idp: EvilIdp, { config = {}, ...more }: Options = {}) {
  const parsed = v.parse(issuerSchema, { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, userinfo_fallback: true, ...config })
  return createRelyingParty({ config: parsed, publicUrl: 'https://gateway.example', fetch: guarded, observe: () => {}, ...more })
}

/** Signs in with one fault and expects exactly this refusal, with nothing secret in its detail and no userinfo call. */
async function expectRefusal(reason: string, options: Options): Promise<EvilIdp> {
  const { idp, signIn } = await setup(options)
  const outcome = await signIn()
  expect(outcome).toMatchObject({ ok: false, reason })
  expect(JSON.stringify(outcome)).not.toContain('canary')
  expect(idp.count('/userinfo')).toBe(0)
  return idp
}

const nowSeconds = () => Math.floor(Date.now() / 1000)
const claims = (changes: Record<string, unknown>): Faults => ({ claims: (honest) => ({ ...honest, ...changes }) })

describe('Core §3.1.2.1 authentication request', () => {
  // T001
  test('is a code request with PKCE, with fresh state and nonce of at least 128 bits, to the configured redirect URI', async () => {
    const { relyingParty, idp } = await setup()
    const seen = new Set<string>()
    for (let i = 0; i < 100; i++) {
      const { url, state, nonce, codeVerifier } = await relyingParty.startSignIn()
      const query = url.searchParams
      expect(`${url.origin}${url.pathname}`).toBe(`${idp.issuer}/authorize`)
      expect([query.get('response_type'), query.get('response_mode'), query.get('code_challenge_method')]).toEqual(['code', 'query', 'S256'])
      expect(query.get('scope')?.split(' ')).toContain('openid')
      expect(query.get('redirect_uri')).toBe(CALLBACK)
      expect(codeVerifier).toMatch(/^[A-Za-z0-9._~-]{43,128}$/)
      for (const [name, value] of [['state', state], ['nonce', nonce]] as const) {
        expect(query.get(name)).toBe(value)
        // 22 base64url characters are 132 bits.
        expect(value).toMatch(/^[A-Za-z0-9_-]{22,}$/)
      }
      for (const secret of [state, nonce, codeVerifier]) seen.add(secret)
      expect(url.href).not.toContain('canary')
      expect(url.href).not.toContain(codeVerifier)
    }
    expect(seen.size).toBe(300)
    expect(relyingParty.authorizationOrigin).toBe(idp.issuer)
  })
})

describe('Core §3.1.3 an honest provider', () => {
  test('signs a person in, with claims of the id_token first and userinfo for the rest', async () => {
    const { idp, signIn } = await setup()
    idp.userinfo = { ...idp.userinfo, email: 'somebody@else.example', role: 'admin' }
    expect(await signIn()).toEqual({
      ok: true,
      identity: { issuer: idp.issuer, sub: 'alice', email: 'alice@corp.example', name: 'Alice', groups: ['staff'] },
      idpRefreshToken: 'refresh-token-canary',
    })
  })

  // T033
  test('receives the code verifier, the redirect URI and the client credential in the form and the header, never in the URL', async () => {
    const { idp, relyingParty } = await setup()
    const start = await relyingParty.startSignIn()
    await relyingParty.finishSignIn({ ...start, url: idp.authorize(start.url) })
    const { body, headers, method } = idp.last('/token')
    expect([method, body.get('code_verifier'), body.get('redirect_uri')]).toEqual(['POST', start.codeVerifier, CALLBACK])
    expect(atob((headers.get('authorization') ?? '').slice(6))).toBe(`gatehouse:${encodeURIComponent('client-secret-canary').replaceAll('-', '%2D')}`)
  })

  // T051
  test('receives the access token in the header of the userinfo request', async () => {
    const { idp, signIn } = await setup()
    await signIn()
    expect(idp.last('/userinfo').headers.get('authorization')).toBe('Bearer access-token-canary')
  })

  test('is not asked for userinfo when the id_token has every claim, or when that is switched off', async () => {
    const complete = await setup({ faults: claims({ name: 'Alice', groups: [] }) })
    expect(await complete.signIn()).toMatchObject({ ok: true, identity: { name: 'Alice', groups: [] } })
    expect(complete.idp.count('/userinfo')).toBe(0)
    const off = await setup({ config: { userinfo_fallback: false } })
    expect(await off.signIn()).toMatchObject({ ok: true, identity: { name: undefined, groups: [] } })
    expect(off.idp.count('/userinfo')).toBe(0)
  })

  // T033
  test('gets a verifier although it does not advertise PKCE, and none where the operator switched it off', async () => {
    const advertised = await setup({ faults: { discovery: (document) => ({ ...document, code_challenge_methods_supported: [] }) } })
    expect(await advertised.signIn()).toMatchObject({ ok: true })
    expect(advertised.idp.last('/token').body.has('code_verifier')).toBe(true)
    const off = await setup({ config: { use_pkce: false } })
    expect(await off.signIn()).toMatchObject({ ok: true })
    expect(off.idp.last('/token').body.has('code_verifier')).toBe(false)
  })

  // T038
  test('is believed about the subject: the same address under another subject is another person', async () => {
    const { idp, signIn } = await setup()
    idp.person = { ...idp.person, sub: 'mallory' }
    idp.userinfo = { ...idp.userinfo, sub: 'mallory' }
    expect(await signIn()).toMatchObject({ ok: true, identity: { sub: 'mallory', email: 'alice@corp.example' } })
  })
})

describe('RFC 6749 §4.1.2 and RFC 9207 authorization response', () => {
  // T021, T023, T032
  test.each([
    ['a missing state', (url: URL) => url.searchParams.delete('state'), 'state_mismatch'],
    ['a wrong state', (url: URL) => url.searchParams.set('state', 'other'), 'state_mismatch'],
    ['a second code', (url: URL) => url.searchParams.append('code', 'other'), 'callback_malformed'],
    ['a missing code', (url: URL) => url.searchParams.delete('code'), 'callback_malformed'],
    ['the iss of another provider', (url: URL) => url.searchParams.set('iss', 'https://evil.example'), 'callback_issuer'],
    ['an error', (url: URL) => url.searchParams.set('error', 'server_error'), 'callback_error'],
    ['a refusal', (url: URL) => url.searchParams.set('error', 'access_denied'), 'idp_denied'],
  ])('refuses %s without a token request', async (_, change, reason) => {
    const { idp, signIn } = await setup()
    expect(await signIn(change)).toMatchObject({ ok: false, reason })
    expect(idp.count('/token')).toBe(0)
  })

  // T021
  test('refuses the response to somebody else’s request without a token request', async () => {
    const { idp, relyingParty } = await setup()
    const [mine, theirs] = [await relyingParty.startSignIn(), await relyingParty.startSignIn()]
    expect(await relyingParty.finishSignIn({ ...mine, url: idp.authorize(theirs.url) })).toMatchObject({ ok: false, reason: 'state_mismatch' })
    expect(idp.count('/token')).toBe(0)
  })

  // T023
  test('wants iss exactly once where the provider promises it', async () => {
    const idp = startEvilIdp()
    running.push(idp)
    idp.faults.discovery = (document) => ({ ...document, authorization_response_iss_parameter_supported: true })
    const relyingParty = await boot(idp)
    const finish = async (change: (url: URL) => void) => {
      const start = await relyingParty.startSignIn()
      const url = idp.authorize(start.url)
      change(url)
      return relyingParty.finishSignIn({ ...start, url })
    }
    expect(await finish(() => {})).toMatchObject({ reason: 'callback_issuer' })
    expect(await finish((url) => url.searchParams.set('iss', `${idp.issuer}/`))).toMatchObject({ reason: 'callback_issuer' })
    expect(
      await finish((url) => {
        url.searchParams.append('iss', idp.issuer)
        url.searchParams.append('iss', idp.issuer)
      }),
    ).toMatchObject({ reason: 'callback_issuer' })
    expect(idp.count('/token')).toBe(0)
    expect(await finish((url) => url.searchParams.set('iss', idp.issuer))).toMatchObject({ ok: true })
  })
})

describe('Core §3.1.3.7 ID Token validation', () => {
  // T002 to T009, T020, T029
  test.each([
    ['another issuer', { iss: 'https://evil.example/' }, 'id_token_issuer'],
    ['no issuer', { iss: undefined }, 'id_token_issuer'],
    ['no subject', { sub: undefined }, 'id_token_subject'],
    ['an empty subject', { sub: '' }, 'id_token_subject'],
    ['a number as subject', { sub: 7 }, 'id_token_subject'],
    ['a subject of 256 bytes', { sub: 'a'.repeat(256) }, 'id_token_subject'],
    ['no audience', { aud: undefined }, 'id_token_audience'],
    ['another audience', { aud: 'other' }, 'id_token_audience'],
    ['a second audience without azp', { aud: ['gatehouse', 'other'] }, 'id_token_audience'],
    ['a second audience that nobody trusts', { aud: ['gatehouse', 'other'], azp: 'gatehouse' }, 'id_token_audience'],
    ['another authorized party', { azp: 'other' }, 'id_token_authorized_party'],
    ['no iat', { iat: undefined }, 'id_token_issued_at'],
    ['no exp', { exp: undefined }, 'id_token_expired'],
    ['exp as text', { exp: String(nowSeconds() + 300) }, 'id_token_expired'],
    ['no nonce', { nonce: undefined }, 'id_token_nonce'],
    ['another nonce', { nonce: 'other' }, 'id_token_nonce'],
    ['a wrong at_hash', { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }, 'id_token_access_token_hash'],
  ])('refuses %s and asks nothing more', async (_, changes, reason) => {
    await expectRefusal(reason, { faults: claims(changes) })
  })

  // T008
  test('refuses an exp beyond all numbers', async () => {
    await expectRefusal('id_token_expired', { faults: { claims: (honest) => JSON.stringify({ ...honest, exp: 'EXP' }).replace('"EXP"', '1e999') } })
  })

  // T005
  test('accepts further audiences and authorized parties that the operator trusts', async () => {
    const config = { additional_authorized_parties: ['partner'] }
    const trusted = await setup({ config, faults: claims({ aud: ['gatehouse', 'partner'], azp: 'partner' }) })
    expect(await trusted.signIn()).toMatchObject({ ok: true })
    await expectRefusal('id_token_authorized_party', { config, faults: claims({ aud: ['gatehouse', 'partner'] }) })
  })

  // T009
  test.each([
    ['exp', -61, 'id_token_expired'],
    ['exp', -55, 'ok'],
    ['iat', 65, 'id_token_issued_at'],
    ['iat', 55, 'ok'],
    ['nbf', 65, 'id_token_not_before'],
    ['nbf', 55, 'ok'],
  ])('tolerates a minute of skew and no more: %s at now %d', async (claim, offset, verdict) => {
    const { signIn } = await setup({ faults: { claims: (honest) => ({ ...honest, [claim]: nowSeconds() + offset }) } })
    const outcome = await signIn()
    expect(outcome.ok ? 'ok' : outcome.reason).toBe(verdict)
  })

  // T020
  test('refuses the token of an earlier sign-in', async () => {
    const { idp, signIn } = await setup()
    let first: string | undefined
    idp.faults.idToken = (token) => (first ??= token)
    expect(await signIn()).toMatchObject({ ok: true })
    expect(await signIn()).toMatchObject({ ok: false, reason: 'id_token_nonce' })
  })

  // T010
  test('refuses a flipped bit of the signature although it came from the token endpoint', async () => {
    const flip = (token: string) => token.slice(0, -10) + (token.at(-10) === 'A' ? 'B' : 'A') + token.slice(-9)
    await expectRefusal('id_token_signature', { faults: { idToken: flip } })
  })

  // T011
  test.each([['none'], ['None'], ['NONE']])('refuses alg %p, with and without a signature', async (alg) => {
    const unsigned = (_: string, honest: Record<string, unknown>) => `${encode({ alg })}.${encode(honest)}.`
    await expectRefusal('id_token_algorithm', { faults: { idToken: unsigned } })
    await expectRefusal('id_token_algorithm', { faults: { idToken: (token, honest) => `${encode({ alg })}.${encode(honest)}.${token.split('.')[2]}` } })
  })

  test('refuses an empty signature', async () => {
    await expectRefusal('id_token_signature', { faults: { idToken: (token) => `${token.split('.').slice(0, 2).join('.')}.` } })
  })

  // T012
  test('refuses HS256 by the client secret and by every form of the public key', async () => {
    const { key } = startStopped()
    const publicKey = key.privateKey.export({ format: 'jwk' })
    const forms = ['client-secret-canary', JSON.stringify(key.jwk), Buffer.from(publicKey.n ?? '', 'base64url'), pemOf(key)]
    for (const secret of forms) {
      const forge = (_: string, honest: Record<string, unknown>) => {
        const input = `${encode({ alg: 'HS256', kid: 'key-1' })}.${encode(honest)}`
        return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
      }
      await expectRefusal('id_token_algorithm', { faults: { idToken: forge } })
    }
  })

  test('refuses another asymmetric algorithm than the configured one, and accepts that', async () => {
    const key = ecKey('ec')
    const asEs256 = (idp: EvilIdp) => Object.assign(idp, { key, keys: [key] })
    const rs256 = await setup({ faults: { header: (header) => ({ ...header, alg: 'ES256' }) } })
    asEs256(rs256.idp)
    expect(await rs256.signIn()).toMatchObject({ reason: 'id_token_algorithm' })
    const es256 = await setup({ config: { id_token_signed_response_alg: 'ES256' }, faults: { header: (header) => ({ ...header, alg: 'ES256' }) } })
    asEs256(es256.idp)
    expect(await es256.signIn()).toMatchObject({ ok: true })
  })

  // T019
  test('never fetches or uses a key that the token brings along', async () => {
    const catcher = startEvilIdp()
    running.push(catcher)
    const own = rsaKey('own')
    for (const extra of [{ jku: `${catcher.issuer}/jwks` }, { x5u: `${catcher.issuer}/jwks` }, { jwk: own.jwk }]) {
      const forge = (_: string, honest: Record<string, unknown>) => signToken({ alg: 'RS256', kid: 'own', ...extra }, honest, own)
      await expectRefusal('id_token_signature', { faults: { idToken: forge } })
    }
    expect(catcher.requests).toEqual([])
  })

  test('refuses critical header extensions', async () => {
    await expectRefusal('id_token_malformed', { faults: { header: (header) => ({ ...header, crit: ['exp'], exp: 1 }) } })
  })

  test.each([
    ['text', 'not a token'],
    ['two parts', 'e30.e30'],
    ['an encrypted token', 'e30.e30.e30.e30.e30'],
    ['a header that is no JSON', `${encode('{')}.e30.e30`],
  ])('refuses %s', async (_, token) => {
    await expectRefusal('id_token_malformed', { faults: { idToken: () => token } })
  })

  test('refuses claims that are no object, signed as they are', async () => {
    for (const payload of ['[]', 'null', '"alice"', '{']) await expectRefusal('id_token_malformed', { faults: { claims: () => payload } })
  })

  // T030
  test('refuses a token answer without id_token', async () => {
    await expectRefusal('id_token_missing', { faults: { idToken: () => undefined } })
  })
})

describe('Core §10.1 signing keys', () => {
  // T014
  test('tries every key for a token without kid, with one fetch', async () => {
    const { idp, signIn } = await setup()
    const [first, second] = [rsaKey(undefined), rsaKey(undefined)]
    Object.assign(idp, { keys: [first, second], key: second })
    expect(await signIn()).toMatchObject({ ok: true })
    expect(idp.count('/jwks')).toBe(1)
  })

  // T015, T016
  test('follows a rotation with exactly one more fetch', async () => {
    const { idp, signIn } = await setup()
    expect(await signIn()).toMatchObject({ ok: true })
    const next = rsaKey('key-2')
    Object.assign(idp, { keys: [next], key: next })
    expect(await signIn()).toMatchObject({ ok: true })
    expect(await signIn()).toMatchObject({ ok: true })
    expect(idp.count('/jwks')).toBe(2)
  })

  // T017
  test('answers a flood of unknown keys with one fetch', async () => {
    const { idp, signIn } = await setup()
    await signIn()
    idp.faults.header = (header) => ({ ...header, kid: crypto.randomUUID() })
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => signIn()))
    expect(outcomes.filter(({ ok }) => ok)).toEqual([])
    expect(idp.count('/jwks')).toBe(2)
  })

  // T018
  test.each([
    ['an RSA key of 1024 bits', (): [EvilKey, object?] => [rsaKey('weak', 1024)]],
    ['an encryption key', (): [EvilKey, object?] => [rsaKey('enc'), { use: 'enc' }]],
    ['a key of another algorithm', (): [EvilKey, object?] => [rsaKey('other'), { alg: 'RS512' }]],
    ['a key for deriving', (): [EvilKey, object?] => [rsaKey('derive'), { use: undefined, key_ops: ['deriveKey'] }]],
  ])('never verifies with %s', async (_, make) => {
    const { idp, signIn } = await setup()
    const [key, changes = {}] = make()
    Object.assign(idp, { key, keys: [{ ...key, jwk: { ...key.jwk, ...changes } }] })
    expect(await signIn()).toMatchObject({ ok: false, reason: 'id_token_signature' })
    expect(idp.count('/userinfo')).toBe(0)
  })

  test('never verifies with a symmetric key of the set', async () => {
    const k = Buffer.from('a symmetric key of thirty-two byte').toString('base64url')
    const forge = (_: string, honest: Record<string, unknown>) => {
      const input = `${encode({ alg: 'RS256', kid: 'oct' })}.${encode(honest)}`
      return `${input}.${createHmac('sha256', Buffer.from(k, 'base64url')).update(input).digest('base64url')}`
    }
    await expectRefusal('id_token_signature', { faults: { idToken: forge, jwks: () => ({ keys: [{ kty: 'oct', kid: 'oct', k, alg: 'RS256' }] }) } })
  })

  test('tries both keys of a repeated kid', async () => {
    const { idp, signIn } = await setup()
    const other = rsaKey('key-1')
    idp.keys = [other, idp.key]
    expect(await signIn()).toMatchObject({ ok: true })
  })

  test.each([
    ['five megabytes', () => ({ keys: [], padding: 'x'.repeat(5_000_000) }), 'signing_keys'],
    ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } }), 'signing_keys'],
    ['a list', () => [], 'signing_keys'],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: '/elsewhere' } }), 'signing_keys'],
    ['not found', () => new Response(null, { status: 404 }), 'signing_keys'],
    ['a failure', () => new Response(null, { status: 500 }), 'idp_unavailable'],
    ['ten thousand keys', () => ({ keys: Array(10_000).fill({ kty: 'RSA', n: 'AQ', e: 'AQAB', kid: 'key-1' }) }), 'signing_keys'],
  ])('refuses a key set that is %s', async (_, jwks, reason) => {
    await expectRefusal(reason, { faults: { jwks } })
  })
})

describe('Core §3.1.3.3 token response', () => {
  const never = new Promise<Response>(() => {})

  // T030
  test.each([
    ['another token type', (document: object) => ({ ...document, token_type: 'mac' }), 'token_response'],
    ['a DPoP token that nobody asked for', (document: object) => ({ ...document, token_type: 'DPoP' }), 'token_response'],
    ['no access token', (document: object) => ({ ...document, access_token: undefined }), 'token_response'],
    ['a refresh token that is a number', (document: object) => ({ ...document, refresh_token: 7 }), 'token_response'],
    ['an error with status 200', () => ({ error: 'invalid_grant' }), 'token_response'],
    ['a page', () => new Response('<html>secret-canary', { headers: { 'content-type': 'text/html' } }), 'token_response'],
    ['a list', () => [], 'token_response'],
    ['nothing', () => new Response(null, { status: 204 }), 'token_response'],
    ['a redirect', () => new Response(null, { status: 307, headers: { location: '/elsewhere' } }), 'token_response'],
    ['thirty megabytes', (document: object) => ({ ...document, padding: 'x'.repeat(30_000_000) }), 'token_response'],
    ['a failure', () => new Response('canary', { status: 502 }), 'idp_unavailable'],
    ['too many requests', () => Response.json({ error: 'invalid_grant' }, { status: 429 }), 'idp_unavailable'],
    ['a used code', () => Response.json({ error: 'invalid_grant', error_description: 'canary' }, { status: 400 }), 'grant_refused'],
    ['a wrong client', () => Response.json({ error: 'invalid_client' }, { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } }), 'client_refused'],
    ['another error', () => Response.json({ error: 'invalid_scope' }, { status: 400 }), 'idp_error'],
    ['silence', () => never, 'idp_unavailable'],
    ['a body that does not end', () => new Response(new ReadableStream({ start: (controller) => controller.enqueue('{') })), 'idp_unavailable'],
  ])('refuses %s', async (_, tokenResponse, reason) => {
    const idp = await expectRefusal(reason, { faults: { tokenResponse }, timeoutMs: reason === 'idp_unavailable' ? 300 : 5_000 })
    expect(idp.count('/token')).toBe(1)
    expect(idp.count('/elsewhere')).toBe(0)
  })

  test('refuses when the provider is gone', async () => {
    const { idp, relyingParty } = await setup()
    const start = await relyingParty.startSignIn()
    const url = idp.authorize(start.url)
    idp.stop()
    expect(await relyingParty.finishSignIn({ ...start, url })).toMatchObject({ ok: false, reason: 'idp_unavailable' })
  })

  test('refuses a code that was redeemed before', async () => {
    const { idp, relyingParty } = await setup()
    const start = await relyingParty.startSignIn()
    const url = idp.authorize(start.url)
    expect(await relyingParty.finishSignIn({ ...start, url })).toMatchObject({ ok: true })
    expect(await relyingParty.finishSignIn({ ...start, url })).toMatchObject({ ok: false, reason: 'grant_refused' })
  })
})

describe('Core §5.3 userinfo', () => {
  // T027, T028
  test.each([
    ['another subject', (document: object) => ({ ...document, sub: 'mallory', groups: ['admins'] }), 'userinfo_subject'],
    ['no subject', (document: object) => ({ ...document, sub: undefined }), 'userinfo_failed'],
    ['a page', () => new Response('{"sub":"alice"}', { headers: { 'content-type': 'text/html' } }), 'userinfo_failed'],
    ['a signed document', () => new Response('e30.e30.e30', { headers: { 'content-type': 'application/jwt' } }), 'userinfo_failed'],
    ['a refusal', () => new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } }), 'userinfo_failed'],
    ['megabytes', (document: object) => ({ ...document, padding: 'x'.repeat(1_000_000) }), 'userinfo_failed'],
    ['a failure', () => new Response(null, { status: 503 }), 'idp_unavailable'],
  ])('refuses %s, and uses none of it', async (_, userinfo, reason) => {
    const { signIn } = await setup({ faults: { userinfo } })
    expect(await signIn()).toMatchObject({ ok: false, reason })
  })

  test('must exist where the operator wants it', async () => {
    const idp = startEvilIdp()
    running.push(idp)
    idp.faults.discovery = (document) => ({ ...document, userinfo_endpoint: undefined })
    await expect(boot(idp)).rejects.toThrow(/userinfo_fallback/)
  })
})

describe('admission', () => {
  const rules = { allowed_email_domains: ['corp.example'] }

  // T036, T037
  test.each([
    ['an address with two @', { email: 'a@evil@corp.example' }, 'email_malformed'],
    ['an address with NUL', { email: 'a@corp.example\u0000' }, 'email_malformed'],
    ['an address in a list', { email: ['a@corp.example'] }, 'email_malformed'],
    ['an address in an object', { email: { value: 'a@corp.example' } }, 'email_malformed'],
    ['a longer domain', { email: 'a@corp.example.evil' }, 'email_domain'],
    ['punycode', { email: 'a@xn--corp' }, 'email_domain'],
    ['no address', { email: undefined }, 'email_missing'],
    ['an unverified address', { email_verified: false }, 'email_unverified'],
    ['an address unverified in words', { email_verified: 'false' }, 'email_unverified'],
    ['upper case', { email: 'A@CORP.EXAMPLE' }, 'ok'],
    ['silence about verification', { email_verified: undefined }, 'ok'],
  ])('judges %s', async (_, changes, verdict) => {
    const { signIn } = await setup({ config: rules, faults: claims(changes) })
    const outcome = await signIn()
    expect(outcome.ok ? 'ok' : outcome.reason).toBe(verdict)
  })

  test('refuses an address that userinfo alone names and calls unverified', async () => {
    const { idp, signIn } = await setup({ config: rules, faults: claims({ email: undefined }) })
    idp.userinfo = { sub: 'alice', email: 'alice@corp.example', email_verified: false }
    expect(await signIn()).toMatchObject({ ok: false, reason: 'email_unverified' })
  })

  test('compares groups exactly, wherever they are', async () => {
    const nested = { config: { allowed_groups: ['Staff'], groups_claim: '/realm_access/roles' }, faults: claims({ realm_access: { roles: ['Staff'] } }) }
    expect(await (await setup(nested)).signIn()).toMatchObject({ ok: true, identity: { groups: ['Staff'] } })
    const { signIn } = await setup({ config: { allowed_groups: ['Staff'] } })
    expect(await signIn()).toMatchObject({ ok: false, reason: 'group' })
  })
})

describe('Discovery §4.3 at boot', () => {
  /** The one sentence that the operator reads. */
  async function refusal(discovery: Faults['discovery'], config: Record<string, unknown> = {}): Promise<string> {
    const idp = startEvilIdp()
    running.push(idp)
    if (discovery !== undefined) idp.faults.discovery = discovery
    const error = await boot(idp, { config, timeoutMs: 300 }).then(() => undefined, (thrown) => thrown)
    expect(error?.name).toBe('BootError')
    expect(error.message).toContain(String(config.issuer ?? idp.issuer))
    // Nothing beyond the document was asked for.
    expect(idp.requests.filter(({ path }) => path !== '/.well-known/openid-configuration')).toEqual([])
    return error.message
  }

  // T024
  test('refuses another issuer, by a slash, by case, by host', async () => {
    expect(await refusal((document) => ({ ...document, issuer: `${document.issuer}/` }))).toContain('spelled exactly')
    expect(await refusal((document) => ({ ...document, issuer: String(document.issuer).toUpperCase() }))).toContain('spelled exactly')
    expect(await refusal((document) => ({ ...document, issuer: 'https://evil.example' }))).toContain('https://evil.example')
    expect(await refusal((document) => ({ ...document, issuer: undefined }))).toContain('(none)')
  })

  // T025
  test.each([
    ['token_endpoint', 'http://169.254.169.254/'],
    ['jwks_uri', 'file:///etc/passwd'],
    ['authorization_endpoint', 'javascript:alert(1)'],
    ['userinfo_endpoint', 'http://[::ffff:169.254.169.254]/'],
    ['token_endpoint', undefined],
    ['jwks_uri', undefined],
    ['authorization_endpoint', undefined],
  ])('refuses %s %p and fetches nothing', async (name, value) => {
    expect(await refusal((document) => ({ ...document, [name]: value }))).toContain(name)
  })

  // T026
  test.each([
    ['a document that does not come', () => new Promise<Response>(() => {}), 'did not answer in time'],
    ['fifty megabytes', () => new Response('x'.repeat(50_000_000)), 'too large'],
    ['a page', () => new Response('<html>'), 'not JSON'],
    ['a list', () => [], 'not a JSON object'],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }), '302'],
    ['not found', () => new Response(null, { status: 404 }), '404'],
  ])('refuses %s', async (_, discovery, words) => {
    expect(await refusal(discovery)).toContain(words)
  })

  test('refuses a provider that does not answer, and one on a forbidden address', async () => {
    expect(await refusal(undefined, { issuer: 'http://127.0.0.1:1' })).toContain('failed')
    expect(await refusal(undefined, { issuer: 'http://169.254.169.254' })).toContain('may not reach')
  })

  test('finds the document where the operator says, and wants the same issuer in it', async () => {
    const idp = startEvilIdp()
    running.push(idp)
    const config = { discovery_url: `${idp.issuer}/elsewhere` }
    expect((await boot(idp, { config })).issuer).toBe(idp.issuer)
    expect(idp.requests.map(({ path }) => path)).toEqual(['/elsewhere'])
    idp.faults.discovery = (document) => ({ ...document, issuer: 'https://evil.example' })
    await expect(boot(idp, { config })).rejects.toThrow(/spelled exactly/)
  })
})

function startStopped(): EvilIdp {
  const idp = startEvilIdp()
  idp.stop()
  return idp
}

function pemOf({ privateKey }: EvilKey): string {
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
}
