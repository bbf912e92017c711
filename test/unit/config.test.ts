import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkConfig, exampleConfig, printConfig } from '../../src/config/commands.ts'
import { parseConfig } from '../../src/config/load.ts'
import { nearest } from '../../src/config/nearest.ts'
import { printable } from '../../src/config/print.ts'
import { renderReference, SECTIONS } from '../../src/config/reference.ts'
import { laterFeatures } from '../../src/config/warnings.ts'

const SECRETS = {
  OIDC_CLIENT_SECRET: 'canary-client-secret',
  JWT_SECRET: 'canary-jwt-secret-of-thirty-two-bytes--',
  JWT_SECRET_BEFORE: 'canary-jwt-secret-before-of-thirty-two-',
  DATABASE_URL: 'postgres://gatehouse:canary-password@db.example.com/gatehouse',
  DATABASE_PASSWORD: 'canary-p@ss:w/rd',
  ANTHROPIC_API_KEY: 'canary-api-key',
  COLLECTOR_TOKEN: 'canary-collector',
  ADMIN_KEY: 'canary-admin-key-of-thirty-two-characters',
}
const EXAMPLES = new URL('../../docs/examples/', import.meta.url).pathname

/** A complete configuration with some sections replaced. */
const base = (changes: Record<string, unknown> = {}) => ({
  listen: { public_url: 'https://gw.example.com' },
  oidc: { issuer: 'https://idp.example.com', client_id: 'gw', client_secret: 's' },
  session: { jwt_secret: 'x'.repeat(16) + 'y'.repeat(16) },
  store: { postgres_url: 'postgres://db/x' },
  upstreams: [{ provider: 'anthropic', auth: { api_key: 'sk' } }],
  managed: { policies: [{ match: {} }] },
  ...changes,
})
const load = (value: unknown, environment: Record<string, string> = {}) => parseConfig(typeof value === 'string' ? value : JSON.stringify(value), 'gateway.yaml', environment)

/** Every problem, without its place. */
function problems(value: unknown, environment: Record<string, string> = {}): string[] {
  try {
    load(value, environment)
    return []
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.replace(/^gateway\.yaml:\d+:\d+ {2}/, ''))
  }
}

describe('a configuration', () => {
  test('names every problem at once, each where it stands', () => {
    const text = `listen: { hosst: 127.0.0.1, port: x, public_url: http://gw.example.com }
oidc:
  issuer: \${ISSUER}
  client_id: gw
session: { jwt_secret: short }
store: {}
upstreams:
  - provider: anthropic
    bas_url: http://x
    auth: { api_kye: sk }
  - provider: bedrok
`
    expect(() => load(text)).toThrow(
      [
        'gateway.yaml:3:11  oidc.issuer: the environment has no ISSUER',
        'gateway.yaml:1:35  listen.port: must be a whole number from 0 to 65535',
        'gateway.yaml:1:50  listen.public_url: must be https; http is for loopback addresses only',
        'gateway.yaml:1:11  listen.hosst: unknown key; did you mean host?',
        'gateway.yaml:2:1  oidc.client_secret: is required (or private_key_jwt, or federated_token_file)',
        'gateway.yaml:5:24  session.jwt_secret: must be at least 32 bytes long',
        'gateway.yaml:6:1  store.postgres_url: give either store.postgres_url or store.embedded',
        'gateway.yaml:10:11  upstreams[0].auth: must hold api_key, or oauth_token, or federation_rule_id with organization_id and identity_token_file',
        'gateway.yaml:9:5  upstreams[0].bas_url: unknown key; did you mean base_url?',
        'gateway.yaml:11:15  upstreams[1].provider: provider must be one of anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry',
      ].join('\n'),
    )
  })

  test.each([
    ['a missing section', base({ oidc: undefined }), 'oidc: is required'],
    ['a section that is a word', base({ session: 'x' }), 'session: must be a mapping'],
    ['an unknown section', base({ upstream: [] }), 'upstream: unknown key; did you mean upstreams?'],
    ['no public URL on a public address', base({ listen: { host: '0.0.0.0' } }), 'listen.public_url: is required unless listen.host is a loopback address'],
    ['a public URL with a path', base({ listen: { public_url: 'https://gw.example.com/x' } }), 'listen.public_url: must be an origin: no path and no query'],
    ['a range beyond its bits', base({ listen: { public_url: 'https://a.b', trusted_proxies: ['10.0.0.0/33'] } }), 'listen.trusted_proxies[0]: is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32'],
    ['an octet with a leading zero', base({ access_control: { allow_cidrs: ['010.0.0.1'] } }), 'access_control.allow_cidrs[0]: is not an address or a range such as 10.0.0.0/8 or 2001:db8::/32'],
    ['a placeholder secret', base({ session: { jwt_secret: 'changeme-changeme-changeme-changeme' } }), 'session.jwt_secret: is a placeholder: make one with `openssl rand -base64 48`'],
    ['a short secret in a list', base({ session: { jwt_secret: ['x'.repeat(40), 'short'] } }), 'session.jwt_secret[1]: must be at least 32 bytes long'],
    ['a negative lifetime', base({ session: { jwt_secret: 'x'.repeat(40), ttl_hours: -1 } }), 'session.ttl_hours: must be a number from 0.0002777777777777778 to 24'],
    ['both stores', base({ store: { postgres_url: 'postgres://x', embedded: '/var' } }), 'store.postgres_url: give either store.postgres_url or store.embedded'],
    ['a parameter of the protocol', base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: 's', extra_auth_params: { state: 'x' } } }), 'oidc.extra_auth_params: cannot replace a parameter of the protocol'],
    ['a symmetric id_token algorithm', base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: 's', id_token_signed_response_alg: 'HS256' } }), 'oidc.id_token_signed_response_alg: must be an asymmetric signature algorithm'],
    ['scopes without openid', base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: 's', scopes: ['email'] } }), 'oidc.scopes: must include openid'],
    ['no upstream', base({ upstreams: [] }), 'upstreams: must name at least one'],
    ['two upstreams of one name', base({ upstreams: [{ provider: 'anthropic', auth: { api_key: 'a' } }, { provider: 'anthropic', auth: { api_key: 'b' } }] }), 'upstreams: names must be distinct; without a name an upstream is called after its provider'],
    ['half a pair of keys', base({ upstreams: [{ provider: 'bedrock', region: 'us-east-1', auth: { aws_access_key_id: 'a' } }] }), 'upstreams[0].auth: must be {} for the default chain, or aws_access_key_id with aws_secret_access_key, or aws_bearer_token'],
    ['a region that is a host', base({ upstreams: [{ provider: 'bedrock', region: 'evil.test#' }] }), 'upstreams[0].region: may hold letters, digits and dashes only'],
    ['people named to the Anthropic API', base({ upstreams: [{ provider: 'anthropic', auth: { api_key: 'a' }, forward_user_identity: true }] }), 'upstreams[0].forward_user_identity: is refused for the Anthropic API: people would be named to a third party; it is for a gateway of your own at base_url'],
    ['a model of an unknown upstream', base({ models: [{ id: 'm', upstream_model: { nowhere: 'x' } }] }), 'models[0].upstream_model.nowhere: no upstream is called nowhere; there is anthropic'],
    ['a model twice', base({ models: [{ id: 'm' }, { id: 'm' }] }), 'models[1].id: the model m is defined twice'],
    // B13
    ['a matcher without groups', base({ managed: { policies: [{ match: { groups: [] } }] } }), 'managed.policies[0].match.groups: must name at least one'],
    ['a blank group', base({ managed: { policies: [{ match: { groups: [' '] } }] } }), 'managed.policies[0].match.groups[0]: must not be blank'],
    ['an empty domain', base({ managed: { policies: [{ match: { email_domain: '' } }] } }), 'managed.policies[0].match.email_domain: must be a domain such as example.com: no @, white space or comma'],
    ['an address as domain', base({ managed: { policies: [{ match: { email_domain: 'a@b.c' } }] } }), 'managed.policies[0].match.email_domain: must be a domain such as example.com: no @, white space or comma'],
    ['servers in cli', base({ managed: { policies: [{ match: {}, cli: { mcpServers: {} } }] } }), 'managed.policies[0].cli: mcpServers cannot be delivered to Claude Code; put them into its managed-mcp.json'],
    ['servers in its other name', base({ managed: { policies: [{ match: {}, settings: { mcpServers: {} } }] } }), 'managed.policies[0].settings: mcpServers cannot be delivered to Claude Code; put them into its managed-mcp.json'],
    ['a blank admin group', base({ admin: { admin_groups: [''] } }), 'admin.admin_groups[0]: must not be blank'],
    ['a short admin key', base({ admin: { write_keys: [{ id: 'a', key: 'short' }] } }), 'admin.write_keys[0].key: must be at least 32 bytes long'],
    ['enforcement without admin', base({ enforcement: { fail_closed_on_error: true } }), 'enforcement.fail_closed_on_error: needs the admin section, where spend is kept'],
    ['a multiplier of nothing', base({ pricing: { multiplier: 0 } }), 'pricing.multiplier: must be above 0 and at most 10'],
    ['a price twice', base({ pricing: { overrides: [{ model: 'm', input: 1, output: 1 }, { model: 'm', input: 2, output: 2 }] } }), 'pricing.overrides: two rows price the same upstream and model'],
    ['a collector in the clear', base({ telemetry: { forward_to: [{ url: 'http://10.0.0.1:4318' }] } }), 'telemetry.forward_to[0].url: must be https; a collector on a private address may have allow_http: true'],
    ['a null section', base({ listen: null }), 'listen: must be a mapping'],
  ])('with %s is refused in words', (_, value, problem) => {
    expect(problems(JSON.parse(JSON.stringify(value)))).toEqual([problem])
  })

  test('that is not YAML is refused where it breaks', () => {
    expect(() => load('listen: [')).toThrow(/^gateway\.yaml:1:10 {2}/)
    expect(() => load('a: 1\na: 2\n')).toThrow('gateway.yaml:2:1  Map keys must be unique')
    expect(() => load('just words')).toThrow('gateway.yaml:1:1  the file must hold a mapping')
  })

  test('that multiplies itself by aliases is refused', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]', ...Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(',')}]`)].join('\n')
    expect(() => load(bomb)).toThrow('alias')
  })

  test('never shows a value when something is wrong with it', () => {
    const bad = base({ session: { jwt_secret: '${JWT_SECRET}', ttl_hours: '${JWT_SECRET}' }, listen: { host: '127.0.0.1', port: '${JWT_SECRET}', public_url: '${JWT_SECRET}' }, upstreams: [{ provider: '${JWT_SECRET}', auth: '${JWT_SECRET}' }] })
    expect(problems(bad, SECRETS).join('\n')).not.toContain('canary')
    expect(problems(bad, SECRETS).length).toBeGreaterThan(3)
  })
})

describe('references to secrets', () => {
  const secretOf = (text: string, environment: Record<string, string> = {}) => load(base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: text } }), environment).config.oidc[0]?.client_secret?.reveal()

  test('are replaced from the environment, anywhere in a value, and from files', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-config-')), 'secret')
    writeFileSync(file, ' from a file \n')
    expect(secretOf('a-${X}-b', { X: '1' })).toBe('a-1-b')
    expect(secretOf(`\${file:${file}}`)).toBe('from a file')
  })

  test.each([
    ['${NOT_SET}', 'oidc.client_secret: the environment has no NOT_SET'],
    ['${file:relative}', 'oidc.client_secret: ${file:relative} needs an absolute path'],
    ['x${file:/etc/hostname}', 'oidc.client_secret: ${file:/etc/hostname} must be the whole value'],
    ['${file:/nowhere/at/all}', 'oidc.client_secret: cannot read /nowhere/at/all (ENOENT)'],
    ['${not a name}', 'oidc.client_secret: ${not a name} is not the name of a variable'],
  ])('that cannot be resolved stop the boot: %s', (text, problem) => {
    expect(problems(base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: text } }))).toEqual([problem])
  })

  test('make numbers of text, so that ports can come from the environment', () => {
    expect(load(base({ listen: { host: '127.0.0.1', port: '${PORT}' } }), { PORT: '9000' }).config.listen.port).toBe(9000)
  })
})

describe('a good configuration', () => {
  test('is frozen, has its defaults, and takes `settings` for `cli`', () => {
    const { config } = load(base({ managed: { policies: [{ match: { email_domain: '@example.com' }, settings: { model: 'x' } }, { match: {} }] } }))
    expect(Object.isFrozen(config.listen)).toBe(true)
    expect(config.managed?.policies[0]).toMatchObject({ match: { email_domain: 'example.com' }, cli: { model: 'x' } })
    expect(config).toMatchObject({ session: { ttl_hours: 1 }, limits: { max_request_bytes: 33_554_432 }, rate_limits: { device_verify: { max: 10, window_seconds: 600 } }, upstreams: [{ name: 'anthropic' }] })
  })

  test.each([
    [base({ oidc: { issuer: 'https://i', client_id: 'c', client_secret: 's', allowed_email_domains: ['gmail.com'] } }), 'oidc.allowed_email_domains: anybody can have an address at gmail.com; admit by allowed_groups instead'],
    [base({ listen: { public_url: 'https://a.b', trusted_proxies: ['0.0.0.0/0'] } }), 'listen.trusted_proxies: a range of every address lets anybody say who they are; name the proxy alone'],
    [base({ limits: { max_url_length: 500 } }), "limits.max_url_length: below 900 the identity provider's way back may not fit, and nobody can sign in"],
    [base({ managed: { policies: [{ match: { groups: ['a'] } }] } }), 'managed: a person whom no policy matches may use every model and gets no settings; add a policy with match: {} or default: deny'],
  ])('warns: %#', (value, warning) => {
    expect(load(value).warnings).toContain(warning)
  })

  test('says at boot which sections do nothing yet', () => {
    const { config } = load(readFileSync(`${EXAMPLES}full.yaml`, 'utf8'), SECRETS)
    const said = laterFeatures(config).map((sentence) => sentence.split(/[: ]/)[0])
    for (const section of ['admin', 'quotas', 'telemetry.forward_to', 'listen.metrics', 'upstreams']) expect(said).toContain(section)
  })

  test.each(readdirSync(EXAMPLES))('is docs/examples/%s', (file) => {
    expect(() => load(readFileSync(EXAMPLES + file, 'utf8'), SECRETS)).not.toThrow()
  })

  test('is printed with defaults, without secrets, and reads back as itself', () => {
    const { config } = load(readFileSync(`${EXAMPLES}full.yaml`, 'utf8'), SECRETS)
    const printed = JSON.stringify(printable(config))
    expect(printed).not.toContain('canary')
    expect(printed).toContain('[secret]')
    expect(printed).toContain('"allow_cidrs":["10.0.0.0/8"]')
  })
})

describe('the commands', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'gatehouse-config-')), 'gateway.yaml')

  test('check and print the example', async () => {
    writeFileSync(file, exampleConfig())
    expect(await checkConfig(file, SECRETS)).toEqual({ text: expect.stringContaining(`${file} is valid\n`), exitCode: 0 })
    expect((await printConfig(file, SECRETS)).text).toContain('jwt_secret:\n    - "[secret]"')
  })

  test('fail with every problem', async () => {
    writeFileSync(file, 'listen: {}\n')
    const { text, exitCode } = await checkConfig(file, {})
    expect(exitCode).toBe(1)
    expect(text).toContain(`${file}:1:1  oidc: is required\n`)
  })
})

test.each([
  ['hosst', 'host'],
  ['pubilc_url', 'public_url'],
  ['Port', 'port'],
  ['zebra', undefined],
])('the key nearest to %s is %p', (word, found) => {
  expect(nearest(word, ['host', 'port', 'public_url'])).toBe(found as never)
})

test('docs/configuration.md is what the schemas say, section by section', () => {
  const written = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  expect(written).toBe(renderReference())
  for (const section of SECTIONS) expect(written).toContain(`## \`${section}\``)
})
