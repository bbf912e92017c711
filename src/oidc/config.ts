import * as v from 'valibot'
import { boolean, described, distinct, integer, list, mailDomain, mapping, oneOf, oneOrMore, origin, secret, someOf, text, textMap, url } from '../std/fields.ts'

const EVERYBODY = 'must name at least one; leave the key out to admit everybody the provider knows'

/** RFC 6901 §3: a pointer begins with a slash; anything else is the name of a claim. */
const claim = () => v.pipe(text(), v.check((value) => !value.startsWith('/') || /^(\/([^~/]|~[01])*)+$/.test(value), 'is not a JSON pointer (RFC 6901)'))

/** The issuer is compared as text, so it is kept as it is written. */
const issuerUrl = () =>
  v.pipe(
    v.string('must be a URL'),
    v.check((value) => URL.canParse(value) && /^https?:\/\//.test(value) && !/[?#\s]/.test(value), 'must be an absolute http or https URL without query or fragment'),
    v.check((value) => !URL.canParse(value) || new URL(value).username + new URL(value).password === '', 'must not carry a user name or password'),
    v.metadata({ form: 'URL' }),
  )

/** Parameters of the protocol itself, which an operator's extra ones must not replace. */
const PROTOCOL_PARAMETERS = new Set([
  'response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'response_mode', 'code_challenge', 'code_challenge_method', 'request', 'request_uri',
])

const extraParameters = () =>
  v.pipe(textMap(), v.check((parameters) => !Object.keys(parameters).some((name) => PROTOCOL_PARAMETERS.has(name)), 'cannot replace a parameter of the protocol'))

const scopes = () =>
  v.pipe(
    v.union([someOf(text()), v.pipe(v.string(), v.transform((value) => value.split(/\s+/).filter(Boolean)))], 'must be a list'),
    v.check((names) => names.includes('openid'), 'must include openid'),
    v.metadata({ form: 'list of text' }),
  )

/** RFC 7523: assertions are signed with the key of a pair. */
const privateKeyJwt = mapping({
  key_file: described(text(), 'The private key, PKCS #8 PEM.'),
  algorithm: described(v.optional(oneOf(['RS256', 'PS256', 'ES256', 'EdDSA']), 'RS256'), 'What it signs with.'),
  key_id: described(v.optional(text()), 'Its `kid` at the provider.'),
})

const googleGroups = mapping({
  service_account_json_path: described(text(), 'Key file of a service account with domain-wide delegation for the Directory API.'),
  admin_email: described(text(), 'The administrator it acts as.'),
})

const entries = {
  name: described(v.optional(text()), 'Name of this issuer.', 'there are several'),
  issuer: described(issuerUrl(), 'The issuer exactly as the provider spells it. Loopback needs `GATEHOUSE_ALLOW_LOOPBACK=1`.'),
  client_id: described(text(), 'Client registered for this gateway; its redirect URI is `<public_url>/oauth/callback`.'),
  client_secret: described(v.optional(secret()), 'Its secret.', 'neither `private_key_jwt` nor `federated_token_file` is given'),
  private_key_jwt: described(v.optional(privateKeyJwt), 'Sign in to the token endpoint with a key instead of a secret (RFC 7523).'),
  federated_token_file: described(v.optional(text()), 'A file with a JWT that the provider accepts as client assertion, instead of a secret. Read for every request.'),
  allowed_email_domains: described(v.optional(someOf(mailDomain(), EVERYBODY)), 'Who may sign in, by what follows the `@`; in any case.'),
  allowed_groups: described(v.optional(someOf(text(), EVERYBODY)), 'Who may sign in, by group; exact and case-sensitive.'),
  groups_claim: described(v.optional(claim(), 'groups'), 'Claim that holds the groups: a name or a JSON pointer.'),
  email_claim: described(v.optional(v.union([claim(), someOf(claim())], 'must be a claim or a list of claims'), 'email'), 'Claim that holds the e-mail address; of a list, the first that is present.'),
  google_groups: described(v.optional(googleGroups), 'Read the groups from Google Directory.'),
  entra_groups_overage: described(v.optional(boolean(), false), 'Ask Microsoft Graph for the groups when the token only points to them.'),
  scopes: described(v.optional(scopes(), ['openid', 'profile', 'email', 'offline_access']), 'Scopes asked for. Without `offline_access` people sign in again every `session.ttl_hours`.'),
  extra_auth_params: described(v.optional(extraParameters(), {}), 'Further parameters of the authorization request.'),
  userinfo_fallback: described(v.optional(boolean(), false), 'Ask the userinfo endpoint for claims the id_token lacks.'),
  use_pkce: described(v.optional(boolean(), true), 'PKCE S256.'),
  clock_skew_seconds: described(v.optional(integer(0, 300), 60), 'Tolerated difference of clocks.'),
  token_endpoint_auth_method: described(
    v.optional(oneOf(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'])),
    'How the client authenticates; unless given, what fits the credential and the provider.',
  ),
  id_token_signed_response_alg: described(
    v.optional(oneOf(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']), 'RS256'),
    'The one signature algorithm accepted.',
  ),
  additional_authorized_parties: described(v.optional(list(text()), []), 'Other audiences and authorized parties that are trusted.'),
  discovery_url: described(v.optional(url()), 'Where the discovery document is, if not below the issuer.'),
  use_proxy: described(v.optional(v.union([boolean(), url()], 'must be true, false or a URL'), false), 'Reach the provider through a forward proxy: `true` for the one of `HTTPS_PROXY`.'),
  form_action_origins: described(v.optional(list(origin()), []), 'Further origins the sign-in may pass through.'),
  ca_cert_pem: described(
    v.optional(v.pipe(text(), v.check((value) => value.includes('-----BEGIN CERTIFICATE-----'), 'must be a certificate in PEM, not its path: write ${file:/path/of/ca.pem}'))),
    'Certificate authority of the provider, PEM.',
  ),
}

const CREDENTIALS = ['client_secret', 'private_key_jwt', 'federated_token_file'] as const

const countCredentials = (config: { [key in (typeof CREDENTIALS)[number]]?: unknown }) => CREDENTIALS.filter((key) => config[key] !== undefined).length

export const issuerSchema = v.pipe(
  mapping(entries),
  v.forward(
    v.partialCheck([['client_secret'], ['private_key_jwt'], ['federated_token_file']], (config) => countCredentials(config) <= 1, `give one of ${CREDENTIALS.join(', ')}`),
    ['client_secret'],
  ),
  v.forward(
    v.partialCheck(
      [['client_secret'], ['private_key_jwt'], ['federated_token_file'], ['token_endpoint_auth_method']],
      (config) => config.token_endpoint_auth_method === 'none' || countCredentials(config) > 0,
      'is required (or private_key_jwt, or federated_token_file)',
    ),
    ['client_secret'],
  ),
  v.forward(
    v.partialCheck(
      [['private_key_jwt'], ['token_endpoint_auth_method']],
      (config) => config.token_endpoint_auth_method !== 'private_key_jwt' || config.private_key_jwt !== undefined,
      'needs oidc.private_key_jwt, the key to sign with',
    ),
    ['token_endpoint_auth_method'],
  ),
)

export const oidcSchema = v.pipe(
  oneOrMore(issuerSchema),
  v.check((issuers) => issuers.length === 1 || issuers.every(({ name }) => name !== undefined), 'each of several issuers needs a name'),
  distinct('name', (name) => `two issuers are called ${name}`),
)

export type OidcConfig = v.InferOutput<typeof issuerSchema>
