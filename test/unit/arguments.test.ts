import { describe, expect, test } from 'bun:test'
import { parseArguments } from '../../src/arguments.ts'

describe('parseArguments', () => {
  test.each([
    [['serve', '--config', 'a.yaml'], { name: 'serve', config: 'a.yaml' }],
    [['serve', '--config=a=b.yaml'], { name: 'serve', config: 'a=b.yaml' }],
    [['--config', 'a.yaml'], { name: 'serve', config: 'a.yaml' }],
    [['config', 'check', '--config', 'a.yaml'], { name: 'config check', config: 'a.yaml' }],
    [['config', 'example'], { name: 'config example' }],
    [['demo', '--port', '9000'], { name: 'demo', port: 9000, directory: undefined }],
    [['health'], { name: 'health', url: 'http://127.0.0.1:8080' }],
    [['health', 'http://127.0.0.1:9'], { name: 'health', url: 'http://127.0.0.1:9' }],
    [['models', '--config', 'a.yaml'], { name: 'models', config: 'a.yaml', as: undefined, groups: undefined, json: false }],
    [['models', '--json', '--config', 'a.yaml', '--as', 'ana@example.com', '--groups', 'a, b,,c d'], { name: 'models', config: 'a.yaml', as: 'ana@example.com', groups: ['a', 'b', 'c d'], json: true }],
    [['models', '--config=a.yaml', '--groups=', '--json'], { name: 'models', config: 'a.yaml', as: undefined, groups: [], json: true }],
    [['policy', 'explain', '--config', 'a.yaml', '--email', 'ana@example.com', '--groups', 'a,b'], { name: 'policy explain', config: 'a.yaml', email: 'ana@example.com', groups: ['a', 'b'], json: false }],
    [['policy', 'explain', '--json', '--config', 'a.yaml'], { name: 'policy explain', config: 'a.yaml', email: undefined, groups: [], json: true }],
    [['price', '--model', 'm', '--upstream', 'u', '--usage', '{"input_tokens":1}'], { name: 'price', model: 'm', upstream: 'u', usage: { input_tokens: 1 }, config: undefined, region: undefined, at: undefined, json: false }],
    [['price', '--model=m', '--upstream=u', '--usage={}', '--config', 'a.yaml', '--at', '2026-11-22', '--json'], { name: 'price', model: 'm', upstream: 'u', usage: {}, config: 'a.yaml', region: undefined, at: new Date('2026-11-22T00:00:00Z'), json: true }],
    [['price', '--model=m', '--upstream=u', '--usage={}', '--region', 'eu', '--at', '2026-11-22T01:30:00+02:00'], { name: 'price', model: 'm', upstream: 'u', usage: {}, config: undefined, region: 'eu', at: new Date('2026-11-21T23:30:00Z'), json: false }],
    [['audit', 'verify', '--config', 'a.yaml'], { name: 'audit verify', config: 'a.yaml', from: undefined, to: undefined, anchors: [], anchorsFile: undefined }],
    [['audit', 'verify', '--config=a', '--from=2026-08-01', '--to', '2026-08-31', '--anchors', 'log', '--anchor', `2026-08-02:17:${'A0'.repeat(32)},2026-08-03:1:${'b1'.repeat(32)}`], { name: 'audit verify', config: 'a', from: '2026-08-01', to: '2026-08-31', anchors: [{ day: '2026-08-02', seq: 17, hash: 'a0'.repeat(32) }, { day: '2026-08-03', seq: 1, hash: 'b1'.repeat(32) }], anchorsFile: 'log' }],
    [['--version'], { name: 'version' }],
    [['serve', '--help'], { name: 'help' }],
  ])('reads %j', (argv, command) => {
    expect(parseArguments(argv)).toEqual({ ok: true, command } as never)
  })

  test.each([
    [[], 'a command is needed'],
    [['serv', '--config', 'a'], 'unknown command "serv"'],
    [['serve'], '"serve" needs --config FILE'],
    [['serve', '--config'], '--config needs a value'],
    [['serve', '--config', 'a', '--config', 'b'], '--config is given twice'],
    [['serve', '--config', 'a', '--secret', 'b'], '"serve" takes no --secret'],
    [['serve', 'a.yaml', '--config', 'b'], 'unexpected "a.yaml"'],
    [['demo', '--port', 'x'], '--port needs a number'],
    [['policy'], 'unknown command "policy"'],
    [['policy', 'explain'], '"policy explain" needs --config FILE'],
    [['policy', 'explain', '--config', 'a', '--email', 'ana'], '--email needs an e-mail address'],
    [['policy', 'explain', '--config', 'a', '--as', 'a@b.c'], '"policy explain" takes no --as'],
    [['models'], '"models" needs --config FILE'],
    [['models', '--config', 'a', '--as', 'ana'], '--as needs an e-mail address'],
    [['models', '--config', 'a', '--as', 'a@b@c'], '--as needs an e-mail address'],
    [['models', '--config', 'a', '--as', '--json'], '--as needs an e-mail address'],
    [['models', '--config', 'a', '--json=yes'], '--json takes no value'],
    [['models', '--config', 'a', '--json', '--json'], '--json is given twice'],
    [['models', '--config', 'a', '--json', 'b'], 'unexpected "b"'],
    [['serve', '--config', 'a', '--json'], '"serve" takes no --json'],
    [['--json'], 'a command is needed'],
    [['price'], '"price" needs --model M, --upstream U and --usage JSON'],
    [['price', '--model=', '--upstream=u', '--usage={}'], '"price" needs --model M, --upstream U and --usage JSON'],
    ...['', '7', 'null', '[]', '{'].map((usage): [string[], string] => [['price', '--model=m', '--upstream=u', `--usage=${usage}`], `--usage needs the usage of an answer as JSON, such as '{"input_tokens":1000,"output_tokens":200}'`]),
    ...['today', '2026-13-01', '2026-11-22T10:00', '1'].map((at): [string[], string] => [['price', '--model=m', '--upstream=u', '--usage={}', '--at', at], '--at needs a date such as 2026-11-22, or a time with its zone such as 2026-11-22T18:30:00Z']),
    [['audit', 'verify'], '"audit verify" needs --config FILE'],
    [['audit'], 'unknown command "audit"'],
    ...['2026-02-31', 'yesterday', '2026-8-1'].map((day): [string[], string] => [['audit', 'verify', '--config=a', '--from', day], '--from needs a day in UTC such as 2026-11-22']),
    [['audit', 'verify', '--config=a', '--from=2026-08-02', '--to=2026-08-01'], '--from is after --to'],
    ...['', '2026-08-01:1', `2026-08-01:1:${'g'.repeat(64)}`].map((anchor): [string[], string] => [['audit', 'verify', '--config=a', '--anchor', anchor], '--anchor needs what an audit.anchor event says, as DAY:SEQ:HASH']),
    [['price', '--model=m', '--upstream=u', '--usage={}', '--config=a', '--region=r'], '--region is for use without --config, which says the region of its upstreams'],
  ])('refuses %j with a sentence', (argv, problem) => {
    expect(parseArguments(argv)).toEqual({ ok: false, problem })
  })
})
