import { describe, expect, test } from 'bun:test'
import { parseConfig } from '../../src/config/load.ts'
import { createGateway } from '../../src/gateway.ts'

/** What a boot with this upstream fails with; the store is never reached, so nothing else can be the reason. */
async function refusal(baseUrl: string, allowLoopback = false): Promise<string> {
  const { config } = parseConfig(
    JSON.stringify({
      listen: { host: '127.0.0.1', port: 0 },
      oidc: { issuer: 'https://idp.example.com', client_id: 'c', client_secret: 's' },
      session: { jwt_secret: 'a-secret-of-the-tests-that-is-long-enough' },
      store: { postgres_url: 'postgres://nobody@127.0.0.1:1/none' },
      upstreams: [{ name: 'up', provider: 'anthropic', base_url: baseUrl, auth: { api_key: 'k' } }],
    }),
    'gateway.yaml',
    {},
  )
  return createGateway({ config, observe: () => {}, allowLoopback }).then(() => 'it booted', (error: Error) => error.message)
}

describe('a boot', () => {
  // T156, T158
  test.each(['http://169.254.169.254/latest', 'http://metadata.google.internal', 'https://[fe80::1]', 'http://0xa9fea9fe', 'http://0.0.0.0'])('refuses an upstream at %s', async (url) => {
    expect(await refusal(url)).toBe('upstreams: the base_url of up names a link-local, metadata, multicast or unspecified address, which outbound requests may not reach')
  })

  test('refuses an upstream on loopback, unless the switch is set', async () => {
    expect(await refusal('http://127.1:9000')).toBe('upstreams: the base_url of up names a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it')
    expect(await refusal('http://127.1:9000', true)).toStartWith('store: 127.0.0.1:1: PostgreSQL is not reachable')
  }, 20_000)

  test('refuses an upstream in the clear at a public address', async () => {
    expect(await refusal('http://203.0.113.7')).toBe('upstreams: the base_url of up must be an https URL')
  })
})
