import { describe, expect, test } from 'bun:test'
import { authorizationUrl, type AuthorizationRequest } from '../../src/oidc/authorization-request.ts'
import { judgeCallback } from '../../src/oidc/callback-parameters.ts'
import { judgeMetadata } from '../../src/oidc/provider-metadata.ts'

const request: AuthorizationRequest = {
  authorizationEndpoint: 'https://idp.example/authorize?tenant=7&client_id=evil&state=evil',
  clientId: 'gateway',
  redirectUri: 'https://gw.example/oauth/callback',
  scopes: ['openid', 'email'],
  state: 's',
  nonce: 'n',
  codeChallenge: 'challenge',
  extraParameters: {},
}

describe('authorizationUrl', () => {
  // T001
  test('holds each parameter once, whatever the endpoint brings along', () => {
    expect([...authorizationUrl(request).searchParams].toSorted()).toEqual([
      ['client_id', 'gateway'],
      ['code_challenge', 'challenge'],
      ['code_challenge_method', 'S256'],
      ['nonce', 'n'],
      ['redirect_uri', 'https://gw.example/oauth/callback'],
      ['response_mode', 'query'],
      ['response_type', 'code'],
      ['scope', 'openid email'],
      ['state', 's'],
      ['tenant', '7'],
    ])
  })

  test('takes extra parameters, but none of the protocol', () => {
    const extraParameters = {
      prompt: 'consent',
      access_type: 'offline',
      response_type: 'token',
      response_mode: 'fragment',
      redirect_uri: 'https://evil.example',
      client_id: 'evil',
      scope: 'admin',
      state: 'evil',
      nonce: 'evil',
      request: 'jwt',
      request_uri: 'https://evil.example',
      client_secret: 'secret',
    }
    const url = authorizationUrl({ ...request, extraParameters })
    expect(url.searchParams.get('prompt')).toBe('consent')
    expect(url.searchParams.get('access_type')).toBe('offline')
    expect(url.href).not.toMatch(/evil|secret|fragment|admin|request=|request_uri/)
  })

  test('sends no challenge at all where PKCE is off', () => {
    const url = authorizationUrl({ ...request, codeChallenge: undefined, extraParameters: { code_challenge: 'x', code_challenge_method: 'plain' } })
    expect(url.href).not.toContain('code_challenge')
  })
})

describe('judgeCallback', () => {
  const expected = { state: 's', issuer: 'https://idp.example', issParameter: false }
  const judge = (query: string, change: Partial<typeof expected> = {}) => {
    const verdict = judgeCallback(new URLSearchParams(query), { ...expected, ...change })
    return verdict.ok ? verdict.value.code : verdict.reason
  }

  test('hands the code of our own request out', () => {
    expect(judge('code=c&state=s')).toBe('c')
    expect(judge('code=c&state=s&iss=https://idp.example&session_state=x', { issParameter: true })).toBe('c')
  })

  // T021, T023, T032
  test.each([
    ['no state', 'code=c', 'state_mismatch'],
    ['an empty state', 'code=c&state=', 'state_mismatch'],
    ['another state', 'code=c&state=S', 'state_mismatch'],
    ['two states', 'code=c&state=s&state=s', 'callback_malformed'],
    ['two codes', 'code=c&code=d&state=s', 'callback_malformed'],
    ['no code', 'state=s', 'callback_malformed'],
    ['an empty code', 'code=&state=s', 'callback_malformed'],
    ['another issuer', 'code=c&state=s&iss=https://evil.example', 'callback_issuer'],
    ['an issuer with a slash', 'code=c&state=s&iss=https://idp.example/', 'callback_issuer'],
    ['two issuers', 'code=c&state=s&iss=https://idp.example&iss=https://idp.example', 'callback_issuer'],
    ['a refusal', 'error=access_denied&state=s', 'idp_denied'],
    ['an error', 'error=server_error&state=s&code=c', 'callback_error'],
    ['an error of somebody else', 'error=access_denied&state=x', 'state_mismatch'],
  ])('refuses %s', (_, query, reason) => {
    expect(judge(query)).toBe(reason)
  })

  test('refuses a missing iss where the provider promises it', () => {
    expect(judge('code=c&state=s', { issParameter: true })).toBe('callback_issuer')
    expect(judge('error=access_denied&state=s', { issParameter: true })).toBe('callback_issuer')
  })

  test('never matches an empty expectation', () => {
    expect(judge('code=c&state=', { state: '' })).toBe('state_mismatch')
  })

  test('cleans an error code that a stranger wrote', () => {
    const verdict = judgeCallback(new URLSearchParams({ state: 's', error: `<b>"\u001b[31m\n${'x'.repeat(100)}` }), expected)
    expect(verdict).toMatchObject({ reason: 'callback_error', detail: `<b>[31m${'x'.repeat(57)}` })
  })
})

describe('judgeMetadata', () => {
  const issuer = 'https://idp.example'
  const document = {
    issuer,
    authorization_endpoint: 'https://idp.example/authorize',
    token_endpoint: 'https://tokens.example/token',
    jwks_uri: 'https://keys.example/jwks',
    userinfo_endpoint: 'https://idp.example/me',
  }
  const detail = (change: object, of = issuer) => {
    const verdict = judgeMetadata({ ...document, ...change }, of)
    return verdict.ok ? 'ok' : verdict.detail
  }

  test('accepts endpoints on hosts of their own', () => {
    expect(detail({})).toBe('ok')
    expect(detail({ userinfo_endpoint: undefined })).toBe('ok')
  })

  // T024
  test.each([['https://idp.example/'], ['https://IDP.example'], ['http://idp.example'], ['https://evil.example'], [undefined], [['https://idp.example']]])('refuses the issuer %p', (other) => {
    expect(detail({ issuer: other })).toContain('names the issuer')
  })

  // T025
  test.each([
    ['authorization_endpoint', undefined],
    ['authorization_endpoint', 'javascript:alert(1)'],
    ['authorization_endpoint', '/authorize'],
    ['token_endpoint', undefined],
    ['token_endpoint', 'http://169.254.169.254/'],
    ['token_endpoint', 'https://169.254.169.254/'],
    ['token_endpoint', 'http://idp.example/token'],
    ['token_endpoint', 'https://user:pw@idp.example/token'],
    ['jwks_uri', undefined],
    ['jwks_uri', 'file:///etc/passwd'],
    ['jwks_uri', 'data:application/json,{}'],
    ['jwks_uri', 7],
    ['userinfo_endpoint', 'gopher://idp.example/'],
    ['userinfo_endpoint', 'https://metadata.google.internal/'],
  ])('refuses %s %p and names it', (name, value) => {
    expect(detail({ [name]: value })).toContain(name)
  })

  test('accepts http endpoints from an http issuer only, and metadata from none', () => {
    const local = { issuer: 'http://127.0.0.1:9', token_endpoint: 'http://127.0.0.1:9/token' }
    expect(detail(local, 'http://127.0.0.1:9')).toBe('ok')
    expect(detail({ ...local, jwks_uri: 'http://169.254.169.254/' }, 'http://127.0.0.1:9')).toContain('jwks_uri')
    expect(detail({ token_endpoint: 'http://127.0.0.1:9/token' })).toContain('token_endpoint')
  })
})
