import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { createKeySet } from '../../src/oidc/key-set.ts'
import { createIdTokenVerifier } from '../../src/oidc/verify-id-token.ts'

const NOW = 1_800_000_000

interface Pair {
  kid: string | undefined
  privateKey: CryptoKey
  jwk: JWK
}

async function pair(kid?: string, algorithm = 'RS256'): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), ...(kid !== undefined && { kid }) } }
}
const [a, b, c, nameless1, nameless2] = await Promise.all([pair('a'), pair('b'), pair('c'), pair(), pair()])

/** A verifier in front of a key set that the test changes, and a clock that it moves. */
function setup(published: Pair[], algorithm = 'RS256') {
  const state = { published, status: 200, fetches: 0, nowMs: 0, held: undefined as Promise<void> | undefined }
  const keySet = createKeySet({
    url: 'https://idp.example/jwks',
    algorithm,
    nowMs: () => state.nowMs,
    fetch: async () => {
      state.fetches += 1
      await state.held
      return Response.json({ keys: state.published.map(({ jwk }) => jwk) }, { status: state.status })
    },
  })
  const verify = createIdTokenVerifier({ keySet, algorithm, issuer: 'https://idp.example', clientId: 'gateway', trustedParties: [], clockSkewSeconds: 60 })
  async function judge(token: string, accessToken = 'at') {
    const verdict = await verify({ token, accessToken, nonce: 'n', nowSeconds: NOW })
    return verdict.ok ? verdict.value.sub : verdict.reason
  }
  return { state, judge }
}

function sign({ privateKey, kid }: Pair, claims: Record<string, unknown> = {}, algorithm = 'RS256'): Promise<string> {
  return new SignJWT({ iss: 'https://idp.example', aud: 'gateway', sub: 'alice', exp: NOW + 300, iat: NOW, nonce: 'n', ...claims })
    .setProtectedHeader({ alg: algorithm, ...(kid !== undefined && { kid }) })
    .sign(privateKey)
}

describe('the key set', () => {
  test('is fetched when first needed, and once for tokens that come together', async () => {
    const { state, judge } = setup([a])
    expect(state.fetches).toBe(0)
    const token = await sign(a)
    expect(await Promise.all([judge(token), judge(token), judge(token)])).toEqual(['alice', 'alice', 'alice'])
    expect(state.fetches).toBe(1)
  })

  // T014
  test('is tried key by key for a token without kid, with one fetch', async () => {
    const { state, judge } = setup([nameless1, nameless2])
    expect(await judge(await sign(nameless2))).toBe('alice')
    expect(state.fetches).toBe(1)
  })

  // T015, T016
  test('is fetched once more for a key that was not there, at once', async () => {
    const { state, judge } = setup([a])
    expect(await judge(await sign(a))).toBe('alice')
    state.published = [b]
    expect(await judge(await sign(b))).toBe('alice')
    expect(await judge(await sign(a))).toBe('id_token_signature')
    expect(state.fetches).toBe(2)
  })

  // T017
  test('is not fetched again for unknown keys during the cooldown', async () => {
    const { state, judge } = setup([a])
    await judge(await sign(a))
    const forged = await sign({ ...b, kid: 'random' })
    expect(await Promise.all(Array.from({ length: 50 }, () => judge(forged)))).toEqual(Array(50).fill('id_token_signature'))
    expect(state.fetches).toBe(2)
    state.published = [c]
    state.nowMs = 29_999
    expect(await judge(await sign(c))).toBe('id_token_signature')
    state.nowMs = 30_000
    expect(await judge(await sign(c))).toBe('alice')
    expect(state.fetches).toBe(3)
  })

  test('is not fetched again for a known key that did not sign', async () => {
    const { state, judge } = setup([a])
    expect(await judge(await sign({ ...b, kid: 'a' }))).toBe('id_token_signature')
    expect(state.fetches).toBe(1)
  })

  test('is renewed after ten minutes, so that a withdrawn key stops to count', async () => {
    const { state, judge } = setup([a])
    const token = await sign(a)
    await judge(token)
    state.published = [b]
    state.nowMs = 599_999
    expect(await judge(token)).toBe('alice')
    state.nowMs = 600_000
    expect(await judge(token)).toBe('id_token_signature')
  })

  test('blames the provider, not the token, while it cannot be fetched', async () => {
    const { state, judge } = setup([a])
    state.status = 503
    expect(await judge(await sign(a))).toBe('idp_unavailable')
    state.status = 404
    expect(await judge(await sign(a))).toBe('signing_keys')
    state.status = 200
    expect(await judge(await sign(a))).toBe('alice')
    state.status = 503
    expect(await judge(await sign(b))).toBe('idp_unavailable')
    expect(await judge(await sign(b))).toBe('idp_unavailable')
    expect(state.fetches).toBe(4)
  })

  // T018
  test('skips a key that cannot be imported', async () => {
    const { judge } = setup([{ ...a, jwk: { ...a.jwk, n: `${a.jwk.n}`, e: '' } }, a])
    expect(await judge(await sign(a))).toBe('alice')
  })
})

describe('the signature', () => {
  // T010, T011
  test('is refused when a bit is flipped, when it is empty, and when it is cut', async () => {
    const { judge } = setup([a])
    const token = await sign(a)
    const [header, payload, signature = ''] = token.split('.')
    const flipped = Buffer.from(signature, 'base64url')
    flipped[7] = (flipped[7] as number) ^ 1
    for (const bad of [flipped.toString('base64url'), '', signature.slice(0, -4)]) expect(await judge(`${header}.${payload}.${bad}`)).toBe('id_token_signature')
    const forged = Buffer.from(JSON.stringify({ iss: 'https://idp.example', aud: 'gateway', sub: 'bob', exp: NOW + 300, iat: NOW, nonce: 'n' })).toString('base64url')
    expect(await judge(`${header}.${forged}.${signature}`)).toBe('id_token_signature')
  })

  test.each([['RS256'], ['RS384'], ['RS512'], ['PS256'], ['PS384'], ['PS512'], ['ES256'], ['ES384'], ['ES512'], ['EdDSA']])('is verified with %s, and with at_hash in its hash function', async (algorithm) => {
    const key = await pair('k', algorithm)
    const { judge } = setup([key], algorithm)
    const digest = createHash(`sha${algorithm === 'EdDSA' ? 512 : algorithm.slice(-3)}`).update('the access token').digest()
    const at_hash = digest.subarray(0, digest.length / 2).toString('base64url')
    expect(await judge(await sign(key, { at_hash }, algorithm), 'the access token')).toBe('alice')
    expect(await judge(await sign(key, { at_hash }, algorithm), 'another token')).toBe('id_token_access_token_hash')
  })
})
