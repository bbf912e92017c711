import { describe, expect, test } from 'bun:test'
import { complete, load, problems, refusal } from '../support/config-texts.ts'

const GOOD = `
oidc: { issuer: https://idp.example.com, client_id: gw, client_secret: s }
session: { jwt_secret: kX9vQ2mT7wLr4ZpB8nYc3FhJ6sDg1AeU }
store: { postgres_url: "postgres://db/x" }
upstreams: [{ provider: anthropic, auth: { api_key: sk } }]
`

describe('where a problem stands', () => {
  test('is its line and column, in the order of the file', () => {
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
    expect(refusal(text)).toEqual([
      'gateway.yaml:1:11  listen.hosst: unknown key; did you mean host?',
      'gateway.yaml:1:35  listen.port: must be a whole number from 0 to 65535',
      'gateway.yaml:1:50  listen.public_url: must be https; http is for loopback addresses only',
      'gateway.yaml:2:1  oidc.client_secret: is required (or private_key_jwt, or federated_token_file)',
      'gateway.yaml:3:11  oidc.issuer: the environment has no ISSUER',
      'gateway.yaml:5:24  session.jwt_secret: must be at least 32 bytes long',
      'gateway.yaml:6:1  store.postgres_url: give either store.postgres_url or store.embedded',
      'gateway.yaml:9:5  upstreams[0].bas_url: unknown key; did you mean base_url?',
      'gateway.yaml:10:13  upstreams[0].auth.api_kye: unknown key; did you mean api_key?',
      'gateway.yaml:11:15  upstreams[1].provider: must be one of anthropic, bedrock, mantle, anthropicAws, anthropicGoogleCloud, vertex, foundry',
    ])
  })

  test('is the beginning of the file for a missing section', () => {
    expect(refusal('listen: { host: 127.0.0.1 }\nlimits: {}\n')[0]).toBe('gateway.yaml:1:1  oidc: is required')
  })

  test('is found through anchors, aliases and merge keys', () => {
    const text = `${GOOD}listen: { host: 127.0.0.1, <<: *more }
limits: &more
  max_url_length: x
`
    expect(refusal(text)).toEqual(['gateway.yaml:6:32  no anchor is called &more'])
    const ordered = `${GOOD}limits: &more
  max_url_length: x
timeouts: *more
rate_limits:
  device_verify: { <<: *more }
listen: { host: 127.0.0.1 }
`
    expect(refusal(ordered)).toEqual([
      'gateway.yaml:7:3  timeouts.max_url_length: unknown key',
      'gateway.yaml:7:3  rate_limits.device_verify.max_url_length: unknown key',
      'gateway.yaml:7:19  limits.max_url_length: must be a whole number of at least 1',
    ])
  })
})

describe('YAML', () => {
  test.each([
    ['an open list', 'listen: [', 'gateway.yaml:1:10  Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ['a reference that needs quotes', 'listen: { port: ${PORT} }', 'gateway.yaml:1:18  inside { } and [ ] a reference needs quotes: "${NAME}"'],
    ['tabs', 'listen:\n\thost: a', 'gateway.yaml:2:1  Tabs are not allowed as indentation'],
    ['two documents', 'a: 1\n---\nb: 2', 'gateway.yaml:2:1  must be one document: remove the second ---'],
    ['keys that are lists', '? [a]\n: b', 'gateway.yaml:1:3  keys must be text'],
    ['an alias of nothing', 'a: *b', 'gateway.yaml:1:4  no anchor is called &b'],
    ['a tower of lists', '['.repeat(30_000), expect.stringMatching(/^gateway\.yaml:1:\d+ {2}nested too deeply$/)],
    ['a tower of lists that ends', `a: ${'['.repeat(200)}${']'.repeat(200)}`, expect.stringMatching(/^gateway\.yaml:1:\d+ {2}nested too deeply$/)],
    ['just words', 'just words', 'gateway.yaml:1:1  the file must hold a mapping'],
    ['a list', '- a', 'gateway.yaml:1:1  the file must hold a mapping'],
    ['nothing', '', 'gateway.yaml:1:1  the file must hold a mapping'],
  ])('that is %s is refused in one line', (_, text, line) => {
    expect(refusal(text)).toEqual([line])
  })

  test('that multiplies itself by aliases is refused', () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]', ...Array.from({ length: 8 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(',')}]`)].join('\n')
    expect(refusal(bomb)).toEqual(['gateway.yaml:1:1  aliases (*) stand for too many nodes'])
  })

  test('that is too large is refused', () => {
    expect(refusal(`a: ${'x'.repeat(5_000_000)}`)).toEqual(['gateway.yaml: larger than 4194304 bytes'])
  })

  test('with a key given twice is refused, together with everything else', () => {
    expect(refusal(`${GOOD}listen:\n  host: 127.0.0.1\n  port: x\n  host: 127.0.0.2\nstore: { postgres_url: "postgres://y" }\n`)).toEqual([
      'gateway.yaml:8:9  listen.port: must be a whole number from 0 to 65535',
      'gateway.yaml:9:3  listen.host: is given twice',
      'gateway.yaml:10:1  store: is given twice',
    ])
  })

  test('with tags is refused', () => {
    expect(refusal(`${GOOD}listen: { host: !env HOST }\n`)).toContain('gateway.yaml:6:17  tags (!) are not supported here')
  })

  test('that quotes nothing of the text in its messages', () => {
    expect(refusal('session: { jwt_secret: "canary" canary-2 }\na: b').join('')).not.toContain('canary')
    expect(refusal('session:\n  jwt_secret: canary\n  canary-3').join('')).not.toContain('canary')
  })

  test('may use anchors and merge keys', () => {
    const { config } = load(`${GOOD}listen: { host: 127.0.0.1 }
managed:
  policies:
    - match: { groups: [a] }
      cli: &base { model: x, env: { A: "1" } }
    - match: {}
      cli: { <<: *base, model: y }
`)
    expect(config.managed?.policies[1]?.cli).toEqual({ model: 'y', env: { A: '1' } })
  })

  test('may be JSON, indented by tabs too', () => {
    const tabs = JSON.stringify(complete(), null, '\t')
    expect(load(tabs).config).toEqual(load(complete()).config)
  })

  test('keeps numbers and words of keys as text', () => {
    expect(load(complete({ upstreams: [{ provider: 'anthropic', name: '1', auth: { api_key: 'k' } }] })).config.upstreams[0]?.name).toBe('1')
    expect(problems(`${GOOD}listen: { host: 127.0.0.1 }\n1: x\ntrue: y\n`)).toEqual(['1: unknown key', 'true: unknown key'])
  })
})
