import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { checkConfig, exampleConfig, printConfig } from '../../src/config/commands.ts'
import { loadConfig } from '../../src/config/load.ts'
import { nearest } from '../../src/std/nearest.ts'
import { ANTHROPIC, CANARIES, complete, load, OIDC, problems } from '../support/config-texts.ts'

const directory = mkdtempSync(join(tmpdir(), 'gatehouse-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, content: string, mode = 0o600): string {
  const path = join(directory, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

describe('references to secrets', () => {
  const withSecret = (text: string) => complete({ oidc: { ...OIDC, client_secret: text } })
  const secretOf = (text: string, environment: Record<string, string> = {}) => load(withSecret(text), environment).config.oidc[0]?.client_secret?.reveal()

  test('are replaced from the environment, anywhere in a value', () => {
    expect(secretOf('a-${X}-${Y_2}-b', { X: '1', Y_2: '${X}' })).toBe('a-1-${X}-b')
    expect(secretOf('$X $$ {X} ${}'.replace('${}', ''))).toBe('$X $$ {X} ')
  })

  test('are replaced from files, trimmed', () => {
    expect(secretOf(`\${file:${file('secret', ' from a file \n')}}`)).toBe('from a file')
  })

  test('are replaced from what systemd loaded for the service', () => {
    const path = file('jwt_secret', 'loaded\n')
    expect(secretOf('${credential:jwt_secret}', { CREDENTIALS_DIRECTORY: dirname(path) })).toBe('loaded')
    expect(problems(withSecret('${credential:other}'), { CREDENTIALS_DIRECTORY: dirname(path) })).toEqual([`oidc.client_secret: cannot read ${join(dirname(path), 'other')} (ENOENT)`])
  })

  test.each([
    ['${credential:jwt_secret}', 'oidc.client_secret: ${credential:jwt_secret} needs CREDENTIALS_DIRECTORY, which systemd sets where a unit has LoadCredential'],
    ['${credential:../jwt_secret}', 'oidc.client_secret: ${credential:../jwt_secret} is not the name of a credential'],
    ['${credential:..}', 'oidc.client_secret: ${credential:..} is not the name of a credential'],
    ['x${credential:a}', 'oidc.client_secret: ${credential:a} must be the whole value'],
    ['${NOT_SET}', 'oidc.client_secret: the environment has no NOT_SET'],
    ['${file:relative}', 'oidc.client_secret: ${file:relative} needs an absolute path'],
    ['x${file:/etc/hostname}', 'oidc.client_secret: ${file:/etc/hostname} must be the whole value'],
    ['${file:/nowhere/at/all}', 'oidc.client_secret: cannot read /nowhere/at/all (ENOENT)'],
    ['${file:/tmp}', 'oidc.client_secret: cannot read /tmp (EISDIR)'],
    ['${file:/dev/zero}', 'oidc.client_secret: /dev/zero is larger than 1048576 bytes'],
    ['${not a name}', 'oidc.client_secret: ${not a name} is not the name of a variable'],
    ['${}', 'oidc.client_secret: ${} is not the name of a variable'],
  ])('that cannot be resolved stop the boot: %s', (text, problem) => {
    expect(problems(withSecret(text))).toEqual([problem])
  })

  test('that are empty stop the boot', () => {
    expect(problems(withSecret('${X}'), { X: '' })).toEqual(['oidc.client_secret: must not be blank'])
    expect(problems(withSecret(`\${file:${file('empty', '\n')}}`))).toEqual(['oidc.client_secret: must not be blank'])
  })

  test('are each named when several cannot be resolved', () => {
    expect(problems(complete({ oidc: { ...OIDC, client_secret: '${A}${B}' }, store: { postgres_url: '${C}' } }))).toEqual([
      'oidc.client_secret: the environment has no A',
      'oidc.client_secret: the environment has no B',
      'store.postgres_url: the environment has no C',
    ])
  })

  test('make numbers of text, so that ports can come from the environment', () => {
    expect(load(complete({ listen: { host: '127.0.0.1', port: '${PORT}' } }), { PORT: '9000' }).config.listen.port).toBe(9000)
  })

  // T269
  test('warn of a file that everybody can read', () => {
    const open = file('open', 'a', 0o644)
    expect(load(withSecret(`\${file:${open}}`)).warnings).toEqual([`${open} can be read by every user of this machine`])
    expect(load(withSecret(`\${file:${file('closed', 'a', 0o640)}}`)).warnings).toEqual([])
  })
})

describe('a good configuration', () => {
  test('has the defaults of the reference', () => {
    const { config } = load(complete())
    expect(config).toMatchObject({
      listen: { host: '0.0.0.0', port: 8080, trusted_proxies: [] },
      oidc: [{ groups_claim: 'groups', email_claim: 'email', scopes: ['openid', 'profile', 'email', 'offline_access'], use_pkce: true, id_token_signed_response_alg: 'RS256', userinfo_fallback: false }],
      session: { ttl_hours: 1 },
      store: { max_connections: 5 },
      upstreams: [{ name: 'anthropic' }],
      auto_include_builtin_models: true,
      limits: { max_request_bytes: 33_554_432 },
      timeouts: { upstream_ttfb_ms: 120_000 },
      rate_limits: { device_authorization: { max: 30, window_seconds: 600 }, device_verify: { max: 10, window_seconds: 600 } },
    })
  })

  test('cannot be changed afterwards, however deep', () => {
    const { config } = load(complete({ managed: { policies: [{ match: {}, cli: { permissions: { deny: ['Bash'] } } }] } }))
    const cli = config.managed?.policies[0]?.cli as { permissions: { deny: string[] } }
    expect(() => cli.permissions.deny.push('b')).toThrow()
    expect(() => Object.assign(config.listen, { port: 1 })).toThrow()
  })

  test('keeps its secrets out of whatever prints it', () => {
    const { config } = load(complete({ upstreams: [{ provider: 'anthropic', auth: { api_key: '${ANTHROPIC_API_KEY}' }, headers: { authorization: '${COLLECTOR_TOKEN}' } }], store: { postgres_url: '${DATABASE_URL}', password: '${DATABASE_PASSWORD}' } }), CANARIES)
    for (const text of [JSON.stringify(config), inspect(config, { depth: 9 }), Bun.inspect(config, { depth: 9 }), String(config.store.password)]) expect(text).not.toContain('canary')
  })

  test('takes `settings` for `cli` and a domain with one @', () => {
    const { config } = load(complete({ managed: { policies: [{ match: { email_domain: ' @example.com ' }, settings: { model: 'x' } }, { match: {} }] } }))
    expect(config.managed?.policies[0]).toMatchObject({ match: { email_domain: 'example.com' }, cli: { model: 'x' } })
  })

  test.each([
    ['https://gw.example.com/', 'https://gw.example.com'],
    ['https://GW.example.com:443', 'https://gw.example.com'],
    ['https://gw.example.com:8443', 'https://gw.example.com:8443'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://[::1]:8080/', 'http://[::1]:8080'],
  ])('reads the public URL %s as %s', (written, read) => {
    expect(load(complete({ listen: { public_url: written } })).config.listen.public_url).toBe(read)
  })

  test.each(['localhost', '127.0.0.1', '::1', '127.8.8.8'])('needs no public URL on %s', (host) => {
    expect(problems(complete({ listen: { host } }))).toEqual([])
  })

  test('takes a proxy with a port, and sees IPv4 in IPv6', () => {
    const { listen } = load(complete({ listen: { public_url: 'https://gw.example.com', trusted_proxies: ['10.0.0.1:8443', '::ffff:10.0.0.2', '[2001:db8::1]:80'] } })).config
    expect(listen.trusted_proxies.map(({ bytes, prefix }) => [bytes.length, prefix])).toEqual([[4, 32], [4, 32], [16, 128]])
  })

  test.each([
    ['the default chain', { provider: 'bedrock', region: 'us-east-1' }],
    ['an empty credential', { provider: 'bedrock', region: 'us-east-1', auth: {} }],
    ['a session of AWS', { provider: 'bedrock', region: 'us-east-1', auth: { aws_access_key_id: 'a', aws_secret_access_key: 'b', aws_session_token: 'c' } }],
    ['a bearer of AWS', { provider: 'mantle', region: 'us-east-1', auth: { aws_bearer_token: 'a' } }],
    ['an API key beside keys of AWS', { provider: 'anthropicAws', region: 'r', workspace_id: 'wrkspc_1', auth: { api_key: 'a', aws_access_key_id: 'b', aws_secret_access_key: 'c' } }],
    ['a file of Google', { provider: 'vertex', region: 'global', project_id: 'p', auth: { service_account_json: '/sa.json' } }],
    ['Google without a region', { provider: 'anthropicGoogleCloud', project_id: 'p', workspace_id: 'wrkspc_1' }],
    ['Azure by resource and address', { provider: 'foundry', resource: 'r', base_url: 'https://r.services.ai.azure.us', auth: { use_azure_ad: true } }],
    ['a federation', { provider: 'anthropic', auth: { federation_rule_id: 'f', organization_id: 'o', identity_token_file: '/t', workspace_id: 'w' } }],
    ['a gateway that is told who asks', { ...ANTHROPIC, base_url: 'https://upstream-gateway.example.com', forward_user_identity: true }],
  ])('takes an upstream with %s', (_, upstream) => {
    expect(problems(complete({ upstreams: [upstream] }))).toEqual([])
  })

  test('proves what was read by its checksum', async () => {
    const path = file('gateway.yaml', JSON.stringify(complete()))
    const { sha256 } = await loadConfig(path, {})
    expect(sha256).toBe(new Bun.CryptoHasher('sha256').update(await Bun.file(path).bytes()).digest('hex'))
  })
})

describe('the commands', () => {
  test('check and print the example', async () => {
    const path = file('example.yaml', exampleConfig())
    expect(await checkConfig(path, CANARIES)).toEqual({ text: `${path} is valid\n`, exitCode: 0 })
    expect((await printConfig(path, CANARIES)).text).toContain('jwt_secret:\n    - "[secret]"')
  })

  test('check says warnings before the verdict', async () => {
    const path = file('warned.yaml', JSON.stringify(complete({ limits: { max_url_length: 100 }, admin: {} })))
    const { text, exitCode } = await checkConfig(path, {})
    expect(exitCode).toBe(0)
    expect(text.split('\n')).toEqual([expect.stringMatching(/^warning: limits\.max_url_length/), `${path} is valid`, ''])
  })

  test('fail with every problem', async () => {
    const path = file('bad.yaml', 'listen: {}\n')
    const { text, exitCode } = await checkConfig(path, {})
    expect(exitCode).toBe(1)
    expect(text.split('\n')).toEqual(['listen.public_url: is required unless listen.host is a loopback address', 'oidc: is required', 'session: is required', 'store: is required', 'upstreams: is required'].map((line) => `${path}:1:1  ${line}`).toSorted((a, b) => order(a) - order(b)).concat(''))
  })

  test('fail in one line when there is no file', async () => {
    expect(await checkConfig('/nowhere/gateway.yaml', {})).toEqual({ text: '/nowhere/gateway.yaml: cannot read the configuration (ENOENT)\n', exitCode: 1 })
  })
})

/** The schema reports its missing sections in its own order. */
const order = (line: string) => ['listen', 'oidc', 'session', 'store', 'upstreams'].findIndex((section) => line.includes(`  ${section}`))

test.each([
  ['hosst', 'host'],
  ['pubilc_url', 'public_url'],
  ['Port', 'port'],
  ['zebra', undefined],
  ['', undefined],
])('the key nearest to %j is %p', (word, found) => {
  expect(nearest(word, ['host', 'port', 'public_url'])).toBe(found as never)
})
