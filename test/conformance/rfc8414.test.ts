// RFC 8414, OAuth 2.0 Authorization Server Metadata, and that every address it names answers.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { DEVICE_CODE } from '../support/gateway.ts'
import { PUBLIC_URL, startEvilWorld, type EvilWorld } from '../support/evil-world.ts'

let world: EvilWorld
beforeAll(async () => {
  world = await startEvilWorld()
})
afterAll(() => world.stop())

const PATH = '/.well-known/oauth-authorization-server'

describe('§3.2 the metadata', () => {
  test.each(['GET', 'POST'])('answers %s without a bearer', async (method) => {
    const response = await fetch(world.gateway.url + PATH, { method })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toStartWith('application/json')
    expect(await response.json()).toEqual({
      issuer: PUBLIC_URL,
      device_authorization_endpoint: `${PUBLIC_URL}/oauth/device_authorization`,
      token_endpoint: `${PUBLIC_URL}/oauth/token`,
      revocation_endpoint: `${PUBLIC_URL}/oauth/revoke`,
      grant_types_supported: [DEVICE_CODE, 'refresh_token'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
      gateway_protocol_version: 1,
    })
  })

  test('does not depend on what the request calls the gateway', async () => {
    const response = await fetch(world.gateway.url + PATH, { headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http' } })
    if (response.status === 200) expect(await response.json()).toMatchObject({ issuer: PUBLIC_URL })
    else expect([400, 421]).toContain(response.status)
  })

  test('names endpoints that know what they are asked for', async () => {
    const metadata = (await (await fetch(world.gateway.url + PATH)).json()) as Record<string, string>
    const post = (endpoint: string, form: Record<string, string>) => world.gateway.form(new URL(metadata[endpoint] as string).pathname, form)
    expect((await post('device_authorization_endpoint', {})).status).toBe(200)
    expect(await (await post('token_endpoint', { grant_type: DEVICE_CODE, device_code: 'x' })).json()).toEqual({ error: 'expired_token' })
    expect(await (await post('token_endpoint', { grant_type: 'refresh_token', refresh_token: 'x' })).json()).toMatchObject({ error: 'invalid_grant' })
    expect((await post('revocation_endpoint', { token: 'x' })).status).toBe(200)
  })
})
