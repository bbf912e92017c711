// How this client proves itself at the token endpoint.
import { importPKCS8 } from 'jose'
import { ClientSecretBasic, ClientSecretPost, modifyAssertion, None, PrivateKeyJwt, type ClientAuth } from 'openid-client'
import { BootError } from '../errors.ts'
import type { OidcConfig } from './config.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Throws BootError when a key file cannot be used. `supported` is the provider's list of methods, if it has one. */
export async function createClientAuthentication(config: OidcConfig, supported: readonly string[] | undefined): Promise<ClientAuth> {
  if (config.federated_token_file !== undefined) return federatedToken(config.federated_token_file)
  if (config.private_key_jwt !== undefined) return privateKey(config.private_key_jwt)
  if (config.client_secret === undefined || config.token_endpoint_auth_method === 'none') return None()
  const secret = config.client_secret.reveal()
  return secretMethod(config.token_endpoint_auth_method, supported) === 'client_secret_post' ? ClientSecretPost(secret) : ClientSecretBasic(secret)
}

/** OpenID Connect Discovery §3: client_secret_basic is the default where the provider names no method. */
function secretMethod(configured: string | undefined, supported: readonly string[] | undefined): string {
  if (configured === 'client_secret_basic' || configured === 'client_secret_post') return configured
  return supported !== undefined && !supported.includes('client_secret_basic') ? 'client_secret_post' : 'client_secret_basic'
}

/** RFC 7523 §2.2, signed by us: aud is the issuer, jti is fresh, it lives 60 seconds. */
async function privateKey({ key_file, algorithm, key_id }: NonNullable<OidcConfig['private_key_jwt']>): Promise<ClientAuth> {
  try {
    const key = await importPKCS8(await Bun.file(key_file).text(), algorithm)
    return PrivateKeyJwt(key_id === undefined ? key : { key, kid: key_id }, {
      // The library would write RFC 9864's `Ed25519`, which providers that advertise `EdDSA` do not know.
      [modifyAssertion]: (header) => void (header.alg = algorithm),
    })
  } catch {
    // The cause is dropped: it may quote the key.
    throw new BootError(`oidc.private_key_jwt.key_file ${key_file}: is not a readable PKCS #8 PEM key for ${algorithm}`)
  }
}

/** RFC 7523 §2.2, signed by the platform, which replaces the file before it expires: read anew for every request. */
function federatedToken(file: string): ClientAuth {
  return async (_server, client, body) => {
    body.set('client_id', client.client_id)
    body.set('client_assertion_type', JWT_BEARER)
    body.set('client_assertion', (await Bun.file(file).text()).trim())
  }
}
