import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { answerTo, createCodes, readAuthorizationRequest, type Client } from '../../src/demo/authorization.ts'
import { findPerson, type Person } from '../../src/demo/people.ts'

const client: Client = { clientId: 'gatehouse-demo', clientSecret: 'secret', redirectUri: 'http://127.0.0.1:8080/oauth/callback' }
const verifier = 'a-verifier-of-some-forty-three-characters-or-more'
const challenge = createHash('sha256').update(verifier).digest('base64url')
const good = {
  client_id: client.clientId,
  redirect_uri: client.redirectUri,
  response_type: 'code',
  scope: 'openid email offline_access',
  state: 's',
  nonce: 'n',
  code_challenge: challenge,
  code_challenge_method: 'S256',
}
const read = (changes: Record<string, string>) => readAuthorizationRequest(new URLSearchParams({ ...good, ...changes }), client)

describe('readAuthorizationRequest', () => {
  test('reads what the gateway asks', () => {
    const request = { redirectUri: client.redirectUri, state: 's', nonce: 'n', codeChallenge: challenge, scopes: ['openid', 'email', 'offline_access'] }
    expect(read({})).toEqual({ ok: true, request })
  })

  test.each([
    [{ client_id: 'somebody-else' }],
    [{ redirect_uri: 'http://127.0.0.1:8080/oauth/callback/' }],
    [{ redirect_uri: 'https://evil.example/oauth/callback' }],
  ])('tells the person and redirects nowhere for %j', (changes) => {
    const reading = read(changes as Record<string, string>)
    expect(Object.keys(reading)).toEqual(['ok', 'message'])
  })

  test.each([
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ scope: 'email' }, 'invalid_scope'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ code_challenge: '' }, 'invalid_request'],
  ])('tells the client for %j', (changes, error) => {
    expect(read(changes as Record<string, string>)).toEqual({ ok: false, redirectUri: client.redirectUri, state: 's', error })
  })
})

describe('answerTo', () => {
  test('comes back to the redirect URI with the state and the issuer', () => {
    expect(answerTo({ redirectUri: client.redirectUri, state: 'a&b' }, 'http://127.0.0.1:1', { code: 'c' })).toBe(
      'http://127.0.0.1:8080/oauth/callback?code=c&state=a%26b&iss=http%3A%2F%2F127.0.0.1%3A1',
    )
  })
})

describe('createCodes', () => {
  const reading = read({})
  if (!reading.ok) throw new Error('the request is good')
  const grant = { person: findPerson('alice') as Person, request: reading.request }

  test('redeems a code once', () => {
    const codes = createCodes()
    const code = codes.issue(grant, 0)
    expect([codes.redeem(code, verifier, 1), codes.redeem(code, verifier, 1)]).toEqual([grant, undefined])
  })

  test('refuses a verifier that is not the challenge’s, and spends the code', () => {
    const codes = createCodes()
    const code = codes.issue(grant, 0)
    expect([codes.redeem(code, `${verifier}x`, 1), codes.redeem(code, verifier, 1)]).toEqual([undefined, undefined])
  })

  test('forgets a code after a minute', () => {
    const codes = createCodes()
    expect(codes.redeem(codes.issue(grant, 0), verifier, 60_000)).toBeUndefined()
  })
})
