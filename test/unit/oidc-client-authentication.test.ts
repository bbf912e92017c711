import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import * as v from 'valibot'
import { createClientAuthentication } from '../../src/oidc/client-authentication.ts'
import { issuerSchema } from '../../src/oidc/config.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-client-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What a client with this configuration adds to a token request. */
async function authenticate(keys: object, supported?: string[], clientId = 'gateway') {
  const config = v.parse(issuerSchema, { issuer: 'https://idp.example', client_id: clientId, ...keys })
  const add = await createClientAuthentication(config, supported)
  const body = new URLSearchParams()
  const headers = new Headers()
  await add({ issuer: 'https://idp.example' }, { client_id: clientId }, body, headers)
  return { body, headers, add, config }
}

describe('client authentication', () => {
  // T050
  test('encodes id and secret before it joins them (RFC 6749 §2.3.1)', async () => {
    const { headers, body } = await authenticate({ client_secret: 'p:a%s+s wörd' }, undefined, 'id:1 ü')
    const [, encoded = ''] = (headers.get('authorization') ?? '').split(' ')
    const [id = '', secret = ''] = atob(encoded).split(':')
    const decode = (text: string) => new URLSearchParams(`x=${text}`).get('x')
    expect([decode(id), decode(secret)]).toEqual(['id:1 ü', 'p:a%s+s wörd'])
    expect(body.has('client_secret')).toBe(false)
  })

  test.each([
    ['basic by default', {}, undefined, true],
    ['basic when the provider has it', {}, ['client_secret_post', 'client_secret_basic'], true],
    ['post when the provider has nothing else', {}, ['client_secret_post'], false],
    ['post when configured', { token_endpoint_auth_method: 'client_secret_post' }, undefined, false],
    ['basic when configured, whatever the provider says', { token_endpoint_auth_method: 'client_secret_basic' }, ['client_secret_post'], true],
  ])('is %s', async (_, keys, supported, isBasic) => {
    const { headers, body } = await authenticate({ client_secret: 'secret', ...keys }, supported)
    expect(headers.has('authorization')).toBe(isBasic)
    expect(body.get('client_secret')).toBe(isBasic ? null : 'secret')
  })

  test('is the client id alone for a public client', async () => {
    const { headers, body } = await authenticate({ token_endpoint_auth_method: 'none' })
    expect([body.toString(), headers.has('authorization')]).toEqual(['client_id=gateway', false])
  })

  test.each([['RS256'], ['PS256'], ['ES256'], ['EdDSA']])('signs a fresh assertion of a minute with %s', async (algorithm) => {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
    const key_file = join(directory, `${algorithm}.pem`)
    await Bun.write(key_file, await exportPKCS8(privateKey))
    const first = await authenticate({ private_key_jwt: { key_file, algorithm, key_id: 'k1' } })
    const assertion = first.body.get('client_assertion') ?? ''
    expect(first.body.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    await jwtVerify(assertion, publicKey, { issuer: 'gateway', subject: 'gateway', audience: 'https://idp.example', algorithms: [algorithm] })
    expect(decodeProtectedHeader(assertion)).toMatchObject({ alg: algorithm, kid: 'k1' })
    const { exp = 0, iat = 0, jti } = decodeJwt(assertion)
    expect(exp - iat).toBeLessThanOrEqual(60)
    const again = new URLSearchParams()
    await first.add({ issuer: 'https://idp.example' }, { client_id: 'gateway' }, again, new Headers())
    expect(decodeJwt(again.get('client_assertion') ?? '').jti).not.toBe(jti)
  })

  test('reads a federated token file anew for every request', async () => {
    const federated_token_file = join(directory, 'federated')
    await Bun.write(federated_token_file, 'first.jwt.x\n')
    const { body, add } = await authenticate({ federated_token_file })
    expect(body.get('client_assertion')).toBe('first.jwt.x')
    await Bun.write(federated_token_file, 'second.jwt.x')
    const again = new URLSearchParams()
    await add({ issuer: 'https://idp.example' }, { client_id: 'gateway' }, again, new Headers())
    expect(again.get('client_assertion')).toBe('second.jwt.x')
  })

  test('stops the boot for a key file that is none, without quoting it', async () => {
    const key_file = join(directory, 'broken.pem')
    await Bun.write(key_file, 'hunter2')
    const error = await authenticate({ private_key_jwt: { key_file } }).catch((thrown) => thrown)
    expect(error.name).toBe('BootError')
    expect(error.message).toContain(key_file)
    expect(Bun.inspect(error)).not.toContain('hunter2')
  })
})
