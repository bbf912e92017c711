import { describe, expect, test } from 'bun:test'
import { ANTHROPIC, CANARIES, complete, OIDC, problems, type Values } from '../support/config-texts.ts'

const listen = (changes: Values) => complete({ listen: { public_url: 'https://gw.example.com', ...changes } })
const oidc = (changes: Values) => complete({ oidc: { ...OIDC, ...changes } })
const session = (changes: Values) => complete({ session: { jwt_secret: 'x'.repeat(40), ...changes } })
const upstream = (...upstreams: Values[]) => complete({ upstreams })
const policy = (value: Values) => complete({ managed: { policies: [value] } })
const cli = (value: Values) => policy({ match: {}, cli: value })
const inCli = (text: string) => `managed.policies[0].cli.${text}`
const desktop = (value: Values) => policy({ match: {}, desktop: value })
const collector = (value: Values) => complete({ telemetry: { forward_to: [value] } })
const price = { upstream: 'anthropic', model: 'm', input: 1, output: 1, cache_read: 1, cache_write: 1 }

type Case = [what: string, config: Values, ...lines: string[]]

/** Each is refused with exactly these lines. */
function refuses(cases: Case[]): void {
  test.each(cases)('refuses %s', (_, config, ...lines) => {
    expect(problems(config)).toEqual(lines)
  })
}

describe('the file', () => {
  refuses([
    ['a missing section', complete({ oidc: undefined }), 'oidc: is required'],
    ['a section that is a word', complete({ session: 'x' }), 'session: must be a mapping'],
    ['a section that is empty', complete({ listen: null }), 'listen: must be a mapping'],
    ['a section that is a list', complete({ limits: [] }), 'limits: must be a mapping'],
    ['an unknown section', complete({ upstream: [] }), 'upstream: unknown key; did you mean upstreams?'],
    ['every unknown key of a mapping, not the first alone', listen({ hosst: 'a', prot: 1, zebra: true }), 'listen.hosst: unknown key; did you mean host?', 'listen.prot: unknown key; did you mean port?', 'listen.zebra: unknown key'],
    ['a key of a prototype', complete({ constructor: {} }), 'constructor: unknown key'],
  ])
})

describe('listen, access_control, limits', () => {
  const RANGE = 'is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32'
  refuses([
    ['no public URL on a public address', complete({ listen: { host: '0.0.0.0' } }), 'listen.public_url: is required unless listen.host is a loopback address'],
    ['no public URL on a name that begins like loopback', complete({ listen: { host: '127.example.com' } }), 'listen.public_url: is required unless listen.host is a loopback address'],
    ['a public URL without TLS', listen({ public_url: 'http://gw.example.com' }), 'listen.public_url: must be https; http is for loopback addresses only'],
    ['a public URL without TLS on a name that begins like loopback', listen({ public_url: 'http://127.0.0.1.example.com' }), 'listen.public_url: must be https; http is for loopback addresses only'],
    ['a public URL with a path', listen({ public_url: 'https://gw.example.com/x' }), 'listen.public_url: must be an origin such as https://host.example: no path and no query'],
    ['a public URL with a query', listen({ public_url: 'https://gw.example.com?x' }), 'listen.public_url: must be an origin such as https://host.example: no path and no query'],
    ['a public URL with a password', listen({ public_url: 'https://a:b@gw.example.com' }), 'listen.public_url: must be an absolute http or https URL without user name, password or fragment'],
    ['a port that is no number', listen({ port: 'http' }), 'listen.port: must be a whole number from 0 to 65535'],
    ['a port beyond all ports', listen({ port: 65_536 }), 'listen.port: must be a whole number from 0 to 65535'],
    ['half a port', listen({ port: 80.5 }), 'listen.port: must be a whole number from 0 to 65535'],
    ['half of TLS', listen({ tls: { cert: '/a.pem' } }), 'listen.tls.key: is required'],
    ['a shared port that is not said', listen({ port: 0, reuse_port: true }), 'listen.port: must be given where listen.reuse_port is set: 0 is another port for each instance'],
    ['instances that share an embedded database', complete({ listen: { public_url: 'https://gw.example.com', reuse_port: true }, store: { embedded: '/var/lib/gatehouse' } }), 'listen.reuse_port: needs store.postgres_url: an embedded database belongs to one process'],
    // T172
    ['a prefix beyond all bits', listen({ trusted_proxies: ['10.0.0.0/33'] }), `listen.trusted_proxies[0]: ${RANGE}`],
    ['an address of three octets', listen({ trusted_proxies: ['10.0.0.1', '1.2.3'] }), `listen.trusted_proxies[1]: ${RANGE}`],
    ['an octet with a leading zero', complete({ access_control: { allow_cidrs: ['010.0.0.1'] } }), `access_control.allow_cidrs[0]: ${RANGE}`],
    ['a port where no proxy is meant', complete({ access_control: { deny_cidrs: ['10.0.0.1:80'] } }), `access_control.deny_cidrs[0]: ${RANGE}`],
    ['a range that is no list', listen({ trusted_proxies: '10.0.0.0/8' }), 'listen.trusted_proxies: must be a list'],
    ['a body limit of nothing', complete({ limits: { max_request_bytes: 0 } }), 'limits.max_request_bytes: must be a whole number from 1 to 1000000000'],
    ['a rate limit of nothing', complete({ rate_limits: { device_verify: { max: 0 } } }), 'rate_limits.device_verify.max: must be a whole number of at least 1'],
  ])
})

describe('oidc', () => {
  refuses([
    ['no credential', oidc({ client_secret: undefined }), 'oidc.client_secret: is required (or private_key_jwt, or federated_token_file)'],
    ['two credentials', oidc({ federated_token_file: '/f' }), 'oidc.client_secret: give one of client_secret, private_key_jwt, federated_token_file'],
    ['a method without its key', oidc({ token_endpoint_auth_method: 'private_key_jwt' }), 'oidc.token_endpoint_auth_method: needs oidc.private_key_jwt, the key to sign with'],
    ['an issuer with a query', oidc({ issuer: 'https://idp.example.com/?x' }), 'oidc.issuer: must be an absolute http or https URL without query or fragment'],
    ['an issuer that is a host', oidc({ issuer: 'idp.example.com' }), 'oidc.issuer: must be an absolute http or https URL without query or fragment'],
    ['a parameter of the protocol', oidc({ extra_auth_params: { state: 'x' } }), 'oidc.extra_auth_params: cannot replace a parameter of the protocol'],
    ['a symmetric id_token algorithm', oidc({ id_token_signed_response_alg: 'HS256' }), 'oidc.id_token_signed_response_alg: must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA'],
    ['scopes without openid', oidc({ scopes: ['email'] }), 'oidc.scopes: must include openid'],
    ['a broken JSON pointer', oidc({ groups_claim: '/a/~2' }), 'oidc.groups_claim: is not a JSON pointer (RFC 6901)'],
    ['a list of nobody', oidc({ allowed_groups: [] }), 'oidc.allowed_groups: must name at least one; leave the key out to admit everybody the provider knows'],
    ['an address as domain', oidc({ allowed_email_domains: ['a@example.com'] }), 'oidc.allowed_email_domains[0]: must be one domain such as example.com: no @, white space or comma'],
    ['the path of a certificate', oidc({ ca_cert_pem: '/etc/ca.pem' }), 'oidc.ca_cert_pem: must be a certificate in PEM, not its path: write ${file:/path/of/ca.pem}'],
    ['several issuers without names', complete({ oidc: [OIDC, OIDC] }), 'oidc: each of several issuers needs a name'],
    ['several issuers of one name', complete({ oidc: [{ ...OIDC, name: 'a' }, { ...OIDC, name: 'a' }] }), 'oidc[1].name: two issuers are called a'],
    ['a mistake in the second issuer', complete({ oidc: [{ ...OIDC, name: 'a' }, { ...OIDC, name: 'b', issuerr: 1 }] }), 'oidc[1].issuerr: unknown key; did you mean issuer?'],
  ])
})

describe('session and store', () => {
  refuses([
    // T107
    ['a short secret', complete({ session: { jwt_secret: 'x'.repeat(31) } }), 'session.jwt_secret: must be at least 32 bytes long'],
    ['a secret of white space', complete({ session: { jwt_secret: ' '.repeat(40) } }), 'session.jwt_secret: must be at least 32 bytes long'],
    ['a short secret in a list', complete({ session: { jwt_secret: ['x'.repeat(40), 'short'] } }), 'session.jwt_secret[1]: must be at least 32 bytes long'],
    ['a placeholder', complete({ session: { jwt_secret: 'changeme-changeme-changeme-changeme' } }), 'session.jwt_secret: is a placeholder: make one with `openssl rand -base64 48`'],
    ['the command of the documentation', complete({ session: { jwt_secret: 'the output of openssl rand -base64 48' } }), 'session.jwt_secret: is a placeholder: make one with `openssl rand -base64 48`'],
    ['a secret the provider knows', complete({ oidc: { ...OIDC, client_secret: 'x'.repeat(40) }, session: { jwt_secret: ['y'.repeat(40), 'x'.repeat(40)] } }), 'session.jwt_secret: is the client_secret of oidc, too; it must be a secret of its own'],
    ['no secret', complete({ session: { jwt_secret: [] } }), 'session.jwt_secret: must name at least one'],
    ['a negative lifetime', session({ ttl_hours: -1 }), 'session.ttl_hours: must be a number above 0 and at most 24'],
    ['a lifetime of nothing', session({ ttl_hours: 0 }), 'session.ttl_hours: must be a number above 0 and at most 24'],
    ['a lifetime of a week', session({ ttl_hours: '168' }), 'session.ttl_hours: must be a number above 0 and at most 24'],
    ['a session shorter than its token', session({ ttl_hours: 2, max_hours: 1 }), 'session.max_hours: must not be shorter than session.ttl_hours'],
    ['both stores', complete({ store: { postgres_url: 'postgres://x', embedded: '/var' } }), 'store.postgres_url: give either store.postgres_url or store.embedded'],
    ['no store', complete({ store: {} }), 'store.postgres_url: give either store.postgres_url or store.embedded'],
    ['another database', complete({ store: { postgres_url: 'mysql://x' } }), 'store.postgres_url: must begin with postgres://'],
    ['no connection', complete({ store: { postgres_url: 'postgres://x', max_connections: 0 } }), 'store.max_connections: must be a whole number from 1 to 1000'],
  ])
})

describe('upstreams', () => {
  const bedrock = (changes: Values) => upstream({ provider: 'bedrock', region: 'us-east-1', ...changes })
  refuses([
    ['none', complete({ upstreams: [] }), 'upstreams: must name at least one'],
    ['an unknown provider', upstream({ provider: 'bedrok' }), 'upstreams[0].provider: must be one of anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry'],
    ['two of one name', upstream(ANTHROPIC, { ...ANTHROPIC, base_url: 'https://a.example' }), 'upstreams[1].name: two upstreams are called anthropic; without a name an upstream is called after its provider'],
    ['two of one name although something else is wrong', upstream(ANTHROPIC, { ...ANTHROPIC, weight: -1 }), 'upstreams[1].name: two upstreams are called anthropic; without a name an upstream is called after its provider', 'upstreams[1].weight: must be a number from 0 to 1000'],
    ['no credential', upstream({ provider: 'anthropic' }), 'upstreams[0].auth: is required'],
    ['an empty credential', upstream({ provider: 'anthropic', auth: {} }), 'upstreams[0].auth: must hold api_key, or oauth_token, or federation_rule_id with organization_id and identity_token_file'],
    ['two credentials', upstream({ provider: 'anthropic', auth: { api_key: 'a', oauth_token: 'b' } }), 'upstreams[0].auth: must hold only one of api_key, oauth_token'],
    ['a mistyped credential', upstream({ provider: 'anthropic', auth: { api_kye: 'a' } }), 'upstreams[0].auth.api_kye: unknown key; did you mean api_key?'],
    ['a blank credential', upstream({ provider: 'anthropic', auth: { api_key: ' ' } }), 'upstreams[0].auth.api_key: must not be blank'],
    ['a credential that is a list', upstream({ provider: 'anthropic', auth: [] }), 'upstreams[0].auth: must be a mapping'],
    ['part of a federation', upstream({ provider: 'anthropic', auth: { organization_id: 'o' } }), 'upstreams[0].auth.federation_rule_id: is required', 'upstreams[0].auth.identity_token_file: is required'],
    ['half a pair of keys', bedrock({ auth: { aws_access_key_id: 'a' } }), 'upstreams[0].auth.aws_secret_access_key: is required'],
    ['the other half', bedrock({ auth: { aws_secret_access_key: 'a' } }), 'upstreams[0].auth.aws_access_key_id: is required'],
    ['a session without keys', bedrock({ auth: { aws_session_token: 'a' } }), 'upstreams[0].auth.aws_access_key_id: is required', 'upstreams[0].auth.aws_secret_access_key: is required'],
    ['a key of another cloud', bedrock({ auth: { api_key: 'a' } }), 'upstreams[0].auth.api_key: unknown key'],
    ['two credentials of one cloud', bedrock({ auth: { aws_bearer_token: 'a', aws_access_key_id: 'b', aws_secret_access_key: 'c' } }), 'upstreams[0].auth: must hold only one of aws_access_key_id, aws_bearer_token'],
    ['no credential where a cloud has no default', upstream({ provider: 'foundry', resource: 'r', auth: {} }), 'upstreams[0].auth: must hold api_key, or use_azure_ad: true'],
    ['a word for a credential', bedrock({ auth: 'default' }), 'upstreams[0].auth: must be a mapping'],
    ['half a pair of keys beside an API key', upstream({ provider: 'anthropicAws', region: 'r', workspace_id: 'w', auth: { api_key: 'a', aws_access_key_id: 'b' } }), 'upstreams[0].auth: aws_access_key_id and aws_secret_access_key belong together'],
    ['a service account in place of its path', upstream({ provider: 'vertex', region: 'r', project_id: 'p', auth: { service_account_json: {} } }), 'upstreams[0].auth.service_account_json: must be text'],
    ['Azure without a place', upstream({ provider: 'foundry', auth: { use_azure_ad: true } }), 'upstreams[0].resource: is required (or base_url)'],
    ['Azure without a credential', upstream({ provider: 'foundry', resource: 'r', auth: { use_azure_ad: false } }), 'upstreams[0].auth.use_azure_ad: must be true'],
    // T156
    ...['evil.test#', 'evil.test/', '@evil', ':80@evil', '..', '%2f', 'a b', ''].map((region): Case => [`the region ${JSON.stringify(region)}`, bedrock({ region }), 'upstreams[0].region: may hold letters, digits, dashes and underscores only']),
    ['a base URL with a query', upstream({ ...ANTHROPIC, base_url: 'https://a.example/?x=1' }), 'upstreams[0].base_url: must not have a query: paths are put behind it'],
    ['a base URL of another scheme', upstream({ ...ANTHROPIC, base_url: 'ftp://a.example' }), 'upstreams[0].base_url: must be an absolute http or https URL without user name, password or fragment'],
    ['a header that is no name', upstream({ ...ANTHROPIC, headers: { 'x y': 'a' } }), 'upstreams[0].headers.x y: is not the name of a header'],
    ['a header with a line break', upstream({ ...ANTHROPIC, headers: { x: 'a\r\nb: c' } }), 'upstreams[0].headers.x: must be the value of a header: not blank, no line break'],
    ['people named to the Anthropic API', upstream({ ...ANTHROPIC, forward_user_identity: true }), 'upstreams[0].forward_user_identity: is refused for the Anthropic API: people would be named to a third party; it is for a gateway of your own at base_url'],
    ['people named to the Anthropic API by another spelling', upstream({ ...ANTHROPIC, base_url: 'https://API.anthropic.com./', forward_user_identity: true }), 'upstreams[0].forward_user_identity: is refused for the Anthropic API: people would be named to a third party; it is for a gateway of your own at base_url'],
    ['people named to a cloud', bedrock({ forward_user_identity: true }), 'upstreams[0].forward_user_identity: unknown key'],
    ['a status that is no failure', upstream({ ...ANTHROPIC, failover_on: [200] }), 'upstreams[0].failover_on[0]: must be a whole number from 400 to 599'],
  ])
})

describe('models', () => {
  refuses([
    ['a model of an unknown upstream', complete({ models: [{ id: 'm', upstream_model: { nowhere: 'x' } }] }), 'models[0].upstream_model.nowhere: no upstream is called nowhere; there is anthropic'],
    ['a model twice', complete({ models: [{ id: 'm' }, { id: 'm' }] }), 'models[1].id: the model m is defined twice'],
    ['a blank name', complete({ models: [{ id: ' ' }] }), 'models[0].id: must not be blank'],
    ['a blank upstream name', complete({ models: [{ id: 'm', upstream_model: { anthropic: '' } }] }), 'models[0].upstream_model: must not map to a blank id'],
  ])
})

describe('managed', () => {
  const DOMAIN = 'must be one domain such as example.com: no @, white space or comma'
  refuses([
    // B13: no matcher of blanks may ever match everybody.
    ['no matcher', policy({ cli: {} }), 'managed.policies[0].match: is required'],
    ['a matcher that is a list', policy({ match: [] }), 'managed.policies[0].match: must be a mapping'],
    ['a matcher that is empty', policy({ match: null }), 'managed.policies[0].match: must be a mapping'],
    // B13
    ['a matcher without groups', policy({ match: { groups: [] } }), 'managed.policies[0].match.groups: must name at least one group'],
    ['a blank group', policy({ match: { groups: ['a', ' '] } }), 'managed.policies[0].match.groups[1]: must not be blank'],
    ['a group that is a word', policy({ match: { groups: 'a' } }), 'managed.policies[0].match.groups: must be a list'],
    ...['', ' ', '@', '@@example.com', 'a@b.c', 'a b.c', 'a.b,c.d'].map((domain): Case => [`the domain ${JSON.stringify(domain)}`, policy({ match: { email_domain: domain } }), `managed.policies[0].match.email_domain: ${DOMAIN}`]),
    ['a domain that is empty', policy({ match: { email_domain: null } }), 'managed.policies[0].match.email_domain: must be a domain'],
    ['a mistyped matcher', policy({ match: { group: ['a'] } }), 'managed.policies[0].match.group: unknown key; did you mean groups?'],
    ['servers in cli', policy({ match: {}, cli: { mcpServers: {} } }), 'managed.policies[0].cli.mcpServers: cannot be delivered to Claude Code; managedMcpServers can, with servers of http and sse alone'],
    ['servers in its other name', policy({ match: {}, settings: { mcpServers: {} } }), 'managed.policies[0].settings.mcpServers: cannot be delivered to Claude Code; managedMcpServers can, with servers of http and sse alone'],
    ['both names of cli', policy({ match: {}, cli: {}, settings: {} }), 'managed.policies[0].settings: is another name for cli; give one of them'],
    ['cli beside code', policy({ match: {}, cli: {}, code: {} }), 'managed.policies[0].code: is another name for cli; give one of them'],
    ['settings for the Code tab that are kept from it', policy({ match: {}, code: {}, serve_to_desktop: false }), 'managed.policies[0].serve_to_desktop: contradicts code, whose settings the Code tab of Claude Desktop must take'],
    ['servers in code', policy({ match: {}, code: { mcpServers: {} } }), 'managed.policies[0].code.mcpServers: cannot be delivered to Claude Code; managedMcpServers can, with servers of http and sse alone'],
    ['cli that is a list', policy({ match: {}, cli: [] }), 'managed.policies[0].cli: must be a mapping'],
    ['one model in place of a list, which would allow every model', policy({ match: {}, cli: { availableModels: 'claude-sonnet-5' } }), 'managed.policies[0].cli.availableModels: must be a list of text'],
    ['models that are no text', policy({ match: {}, cli: { availableModels: [{ id: 'm' }] } }), 'managed.policies[0].cli.availableModels: must be a list of text'],
    ['one denial in place of a list, which would drop the base', policy({ match: {}, cli: { permissions: { deny: 'WebFetch' } } }), 'managed.policies[0].cli.permissions.deny: must be a list of text'],
    ['hooks of an event that are no list', policy({ match: {}, cli: { hooks: { Stop: {} } } }), 'managed.policies[0].cli.hooks.Stop: must be a list'],
    ['an environment that is a list', policy({ match: {}, cli: { env: [] } }), 'managed.policies[0].cli.env: must be a mapping'],
    ['values that Claude Code cannot read, so that it would run without any of them', cli({ model: 4, verbose: 'yes', env: { A: ['b'] }, deniedMcpServers: ['x'], cleanupPeriodDays: '7', language: false, sandbox: null }), ...['model: must be text', 'verbose: must be true or false', 'env.A: must be text', 'deniedMcpServers: must be a list of mappings', 'cleanupPeriodDays: must be a number', 'language: must be text', 'sandbox: must be a mapping'].map(inCli)],
    ['a word for each list', cli({ deniedModels: 'opus', blockedMarketplaces: null }), ...['deniedModels: must be a list of text', 'blockedMarketplaces: must be a list of mappings'].map(inCli)],
    ['a way of matching that the client does not know, which would be the wider one', cli({ availableModelsMatch: 'exactly' }), inCli('availableModelsMatch: must be one of prefix, exact')],
    ['a mode of permissions that the client does not know', cli({ permissions: { defaultMode: 'planning' } }), inCli('permissions.defaultMode: must be one of acceptEdits, auto, bypassPermissions, default, dontAsk, plan')],
    ['rules that deny nothing', cli({ permissions: { deny: ['bash(rm:*)', 'Bash(rm:*', ' ', 'mcp__x__y', 'Bash(a(b))', 'WebFetch'] } }), ...['[0]: must begin with the name of a tool, such as Bash', '[1]: must be Tool or Tool(content), and end with the closing )', '[2]: must not be blank'].map((text) => inCli(`permissions.deny${text}`))],
    ['what the gateway computes for the desktop', desktop({ inferenceModels: [], otlpEndpoint: 'x', inferenceSessionLifetimeSec: 1, expiresAt: 1 }), ...['inferenceModels', 'otlpEndpoint', 'inferenceSessionLifetimeSec', 'expiresAt'].map((key) => `managed.policies[0].desktop.${key}: follows from the gateway itself and cannot be set`)],
    ['what the desktop takes from its device alone', desktop({ bootstrapUrl: 'https://x.example', trustBootstrapDelivery: true }), ...['bootstrapUrl', 'trustBootstrapDelivery'].map((key) => `managed.policies[0].desktop.${key}: is taken from the device alone; set it in its managed configuration (MDM)`)],
    ['what would take the desktop elsewhere', desktop({ selfHostedUrl: 'https://x.example' }), 'managed.policies[0].desktop.selfHostedUrl: would take Claude Desktop away from this gateway and its rules'],
    ['a key of the desktop without a value', desktop({ banner: null, deploymentDisplayName: '' }), ...['banner', 'deploymentDisplayName'].map((key) => `managed.policies[0].desktop.${key}: must not be empty; leave the key out for the default of Claude Desktop`)],
    ['one tool in place of a list, which would drop the base', desktop({ disabledBuiltinTools: 'WebFetch', coworkEgressAllowedHosts: [1] }), ...['disabledBuiltinTools', 'coworkEgressAllowedHosts'].map((key) => `managed.policies[0].desktop.${key}: must be a list of text`)],
    ['values that Claude Desktop cannot read', desktop({ coworkTabEnabled: 'yes', requireCoworkFullVmSandbox: 1, InferenceGatewayBaseUrl: 'https://x.example', builtinToolPolicy: { WebFetch: 'deny', Bash: 'ask' }, disabledBuiltinTools: ['bash', 'Bash'] }), ...['coworkTabEnabled: must be true or false', 'requireCoworkFullVmSandbox: must be true or false', 'InferenceGatewayBaseUrl: follows from the gateway itself and cannot be set', 'builtinToolPolicy.WebFetch: must be allow or ask; disabledBuiltinTools takes a tool away', 'disabledBuiltinTools[0]: must be the name of a tool, such as WebFetch'].map((text) => `managed.policies[0].desktop.${text}`)],
    ['hosts that are a word, which would leave Claude Desktop without a rule', cli({ sandbox: { network: { allowedDomains: 'x.example' } } }), inCli('sandbox.network.allowedDomains: must be a list of text')],
    ['a network that is a word', cli({ sandbox: { network: 'off' } }), inCli('sandbox.network: must be a mapping')],
    ['cli in one policy and code in another', complete({ managed: { policies: [{ match: { groups: ['a'] }, cli: {} }, { match: {}, code: {} }] } }), 'managed.policies[0].cli: another policy has its settings under code; write all of them there'],
    ['rules of tools that are a list', desktop({ builtinToolPolicy: ['Bash'] }), 'managed.policies[0].desktop.builtinToolPolicy: must be a mapping'],
    ['another default', complete({ managed: { default: 'ask' } }), 'managed.default: must be one of allow, deny'],
  ])
})

describe('telemetry', () => {
  refuses([
    ['a collector in the clear', collector({ url: 'http://10.0.0.1:4318' }), 'telemetry.forward_to[0].url: must be https; a collector on a private address may have allow_http: true'],
    ['a public collector in the clear', collector({ url: 'http://203.0.113.9:4318', allow_http: true }), 'telemetry.forward_to[0].url: must be https: allow_http is for private addresses'],
    ['a collector on this machine', collector({ url: 'http://127.0.0.1:4318' }), 'telemetry.forward_to[0].url: is a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it'],
    ['a collector on this machine by IPv6', collector({ url: 'https://[::1]:4318' }), 'telemetry.forward_to[0].url: is a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it'],
    ['attributes that cannot travel in a variable', complete({ telemetry: { resource_attributes: { 'bad key': 'x', 'User.Name': 'x', e: '', f: 'a,b', g: 'x'.repeat(256) } } }), 'telemetry.resource_attributes.bad key: is not the name of an attribute: letters, digits, ".", "_" and "-", 255 at most', 'telemetry.resource_attributes.User.Name: is set by Claude or the gateway; use another name', ...['e', 'f'].map((name) => `telemetry.resource_attributes.${name}: must be printable ASCII without space and without , ; = \\ " %`), 'telemetry.resource_attributes.g: must not be longer than 255 characters, of which / : @ count as three'],
    ['a signal that is a word', collector({ url: 'https://a.example', logs: 'yes' }), 'telemetry.forward_to[0].logs: must be true or false'],
  ])

  test.each(['GATEHOUSE_ALLOW_LOOPBACK', 'CLAUDE_GATEWAY_ALLOW_LOOPBACK'])('takes a collector on this machine with %s=1', (name) => {
    expect(problems(collector({ url: 'http://127.0.0.1:4318' }), { [name]: '1' })).toEqual([])
  })

  test.each(['http://10.1.2.3:4318', 'http://[fd00::1]:4318', 'http://collector.internal:4318'])('takes %s with allow_http', (url) => {
    expect(problems(collector({ url, allow_http: true }))).toEqual([])
  })
})

describe('admin, enforcement, pricing, quotas, service_identities', () => {
  refuses([
    ['a blank admin group', complete({ admin: { admin_groups: [''] } }), 'admin.admin_groups[0]: must not be blank'],
    ['a short admin key', complete({ admin: { write_keys: [{ id: 'a', key: 'short' }] } }), 'admin.write_keys[0].key: must be at least 32 bytes long'],
    ['a key twice', complete({ admin: { write_keys: [{ id: 'a', key: 'x'.repeat(32) }, { id: 'a', key: 'y'.repeat(32) }] } }), 'admin.write_keys[1].id: two keys are called a'],
    ['a key of both kinds', complete({ admin: { write_keys: [{ id: 'a', key: 'x'.repeat(32) }], read_keys: [{ id: 'a', key: 'y'.repeat(32) }] } }), 'admin.read_keys: an id is in write_keys, too: ids must be unique'],
    ['enforcement without admin', complete({ enforcement: { fail_closed_on_error: true, reserve: true } }), 'enforcement.fail_closed_on_error: needs the admin section, where spend is kept', 'enforcement.reserve: needs the admin section, where spend is kept'],
    ['a multiplier of nothing', complete({ pricing: { multiplier: 0 } }), 'pricing.multiplier: must be a number above 0 and at most 10'],
    ['a multiplier of eleven', complete({ pricing: { multiplier: 11 } }), 'pricing.multiplier: must be a number above 0 and at most 10'],
    ['a price twice', complete({ pricing: { overrides: [price, { ...price, model: 'M', input: 2 }] } }), 'pricing.overrides[1].model: an earlier row prices the same upstream and model'],
    ['a price of nothing', complete({ pricing: { overrides: [{ ...price, output: 0 }] } }), 'pricing.overrides[0].output: must be a number above 0 and at most 1000000'],
    ['a price of part of it', complete({ pricing: { overrides: [{ ...price, cache_read: undefined }] } }), 'pricing.overrides[0].cache_read: is required'],
    ['a price of an unknown upstream', complete({ pricing: { overrides: [{ ...price, upstream: 'aws' }] } }), 'pricing.overrides[0].upstream: no upstream is called aws; there is anthropic'],
    ['a quota of nothing', complete({ quotas: [{ match: {} }] }), 'quotas[0]: needs at least one of requests_per_minute, input_tokens_per_minute, output_tokens_per_minute, concurrent'],
    ['a workload that everybody is', complete({ service_identities: [{ name: 'ci', issuer: 'https://ci.example', audience: 'gw', match: {} }] }), 'service_identities[0].match: must name at least one claim'],
  ])
})

test('names the problems of several sections together, those between sections included', () => {
  const config = complete({ oidc: { ...OIDC, scopes: ['email'] }, models: [{ id: 'm', upstream_model: { nowhere: 'x' } }], limits: { max_url_lenght: 1 } })
  expect(problems(config)).toEqual([
    'oidc.scopes: must include openid',
    'models[0].upstream_model.nowhere: no upstream is called nowhere; there is anthropic',
    'limits.max_url_lenght: unknown key; did you mean max_url_length?',
  ])
})

test('never shows a value when something is wrong with it', () => {
  const canary = '${JWT_SECRET}'
  const bad = complete({
    listen: { host: '127.0.0.1', port: canary, public_url: canary, trusted_proxies: [canary], drain_seconds: canary },
    oidc: { ...OIDC, issuer: canary, discovery_url: canary, scopes: canary, use_pkce: canary, id_token_signed_response_alg: canary },
    session: { jwt_secret: canary, ttl_hours: canary },
    store: { postgres_url: canary, max_connections: canary },
    upstreams: [{ provider: canary, auth: canary }, { ...ANTHROPIC, base_url: canary, weight: canary, headers: canary }],
    managed: { default: canary, policies: [{ match: { groups: canary, email_domain: `${canary}@x` }, cli: canary }] },
    telemetry: { forward_to: [{ url: canary, logs: canary }] },
  })
  const lines = problems(bad, CANARIES)
  expect(lines.length).toBeGreaterThan(20)
  expect(lines.join('\n')).not.toContain('canary')
})
