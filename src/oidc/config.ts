import * as v from 'valibot'
import { boolean, described, integer, list, oneOrMore, secret, someOf, text, url } from '../std/fields.ts'

const claim = () => v.pipe(text(), v.check((value) => !value.startsWith('/') || /^(\/([^~/]|~[01])*)+$/.test(value), 'is not a JSON pointer (RFC 6901)'))

/** Parameters of the protocol itself, which an operator's extra ones must not replace. */
const PROTOCOL_PARAMETERS = new Set([
  'response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'response_mode', 'code_challenge', 'code_challenge_method', 'request', 'request_uri',
])

export const issuerSchema = v.pipe(
  v.strictObject({
    name: described(v.optional(text()), 'Name of this issuer where there are several.'),
    issuer: described(
      v.pipe(v.string('must be a URL'), v.check((value) => URL.canParse(value) && /^https?:\/\//.test(value) && !/[?#]/.test(value), 'must be an absolute URL without query or fragment')),
      'The issuer exactly as the provider spells it.',
    ),
    client_id: described(text(), 'Client registered for this gateway.'),
    client_secret: described(v.optional(secret()), 'Its secret.'),
    private_key_jwt: described(
      v.optional(v.strictObject({ key_file: text(), algorithm: v.optional(v.picklist(['RS256', 'PS256', 'ES256', 'EdDSA'], 'is not supported'), 'RS256'), key_id: v.optional(text()) })),
      'Sign in to the token endpoint with a key instead of a secret (RFC 7523).',
    ),
    federated_token_file: described(v.optional(text()), 'A file with a JWT that the provider accepts as client assertion.'),
    allowed_email_domains: described(v.optional(someOf(v.pipe(text(), v.check((value) => !/[@\s,]/.test(value), 'must be a domain such as example.com')))), 'Who may sign in, by e-mail domain.'),
    allowed_groups: described(v.optional(someOf(text())), 'Who may sign in, by group; exact and case-sensitive.'),
    groups_claim: described(v.optional(claim(), 'groups'), 'Claim that holds the groups: a name or a JSON pointer.'),
    email_claim: described(v.optional(v.union([claim(), someOf(claim())], 'must be a claim or a list of claims'), 'email'), 'Claim that holds the e-mail address; of a list, the first that is present.'),
    google_groups: described(v.optional(v.strictObject({ service_account_json_path: text(), admin_email: text() })), 'Read the groups from Google Directory.'),
    entra_groups_overage: described(v.optional(boolean(), false), 'Ask Microsoft Graph for the groups when the token only points to them.'),
    scopes: described(
      v.optional(v.pipe(v.union([someOf(text()), v.pipe(v.string(), v.transform((value) => value.split(/\s+/).filter(Boolean)))], 'must be a list'), v.check((scopes) => scopes.includes('openid'), 'must include openid')), ['openid', 'profile', 'email', 'offline_access']),
      'Scopes asked for.',
    ),
    extra_auth_params: described(
      v.optional(v.pipe(v.record(v.string(), v.string('must be text'), 'must be a mapping'), v.check((parameters) => !Object.keys(parameters).some((name) => PROTOCOL_PARAMETERS.has(name)), 'cannot replace a parameter of the protocol')), {}),
      'Further parameters of the authorization request.',
    ),
    userinfo_fallback: described(v.optional(boolean(), false), 'Ask the userinfo endpoint for claims the id_token lacks.'),
    use_pkce: described(v.optional(boolean(), true), 'PKCE S256.'),
    clock_skew_seconds: described(v.optional(integer(0, 300), 60), 'Tolerated difference of clocks.'),
    token_endpoint_auth_method: described(
      v.optional(v.picklist(['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'], 'is not supported')),
      'How the client authenticates; by default what fits the credential given.',
    ),
    id_token_signed_response_alg: described(
      v.optional(v.picklist(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'], 'must be an asymmetric signature algorithm'), 'RS256'),
      'The one signature algorithm accepted.',
    ),
    additional_authorized_parties: described(v.optional(list(text()), []), 'Other audiences and authorized parties that are trusted.'),
    discovery_url: described(v.optional(url()), 'Where the discovery document is, if not below the issuer.'),
    use_proxy: described(v.optional(v.union([boolean(), url()], 'must be true, false or a URL'), false), 'Reach the provider through a forward proxy.'),
    form_action_origins: described(v.optional(list(v.pipe(url(), v.check((value) => new URL(value).origin === value, 'must be an origin'))), []), 'Further origins the sign-in may pass through.'),
    ca_cert_pem: described(v.optional(text()), 'Certificate authority of the provider, PEM.'),
  }),
  v.forward(
    v.partialCheck([['client_secret'], ['private_key_jwt'], ['federated_token_file']], ({ client_secret, private_key_jwt, federated_token_file }) => [client_secret, private_key_jwt, federated_token_file].filter((given) => given !== undefined).length <= 1, 'give one of client_secret, private_key_jwt, federated_token_file'),
    ['client_secret'],
  ),
  v.forward(
    v.partialCheck([['client_secret'], ['private_key_jwt'], ['federated_token_file'], ['token_endpoint_auth_method']], ({ client_secret, private_key_jwt, federated_token_file, token_endpoint_auth_method }) => token_endpoint_auth_method === 'none' || (client_secret ?? private_key_jwt ?? federated_token_file) !== undefined, 'is required (or private_key_jwt, or federated_token_file)'),
    ['client_secret'],
  ),
)

export const oidcSchema = v.pipe(
  oneOrMore(issuerSchema),
  v.check((issuers) => issuers.length === 1 || new Set(issuers.map(({ name }) => name)).size === issuers.length, 'several issuers need distinct names'),
)

export type OidcConfig = v.InferOutput<typeof issuerSchema>
