// `stamp_identity`: what is put on exports, read back by the official definitions of OTLP.
import { describe, expect, test } from 'bun:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { identityAttributes } from '../../src/telemetry/identity.ts'
import { stamp } from '../../src/telemetry/stamp.ts'
import { stampJson } from '../../src/telemetry/stamp-json.ts'
import { stampProtobuf } from '../../src/telemetry/stamp-protobuf.ts'
import { decodeOtlp, encodeOtlp, type OtlpSignal } from '../support/otlp.ts'

const PERSON = identityAttributes({ sub: '00u1', email: 'alice@example.com', groups: ['eng', 'größe'] })
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
const ADDED = [attribute('user.id', '00u1'), attribute('user.email', 'alice@example.com'), attribute('user.groups', 'eng,größe')]

/** A record of two people is worse than one of nobody: what is said of another one is left as it is, altogether. */
const OTHERS = [
  { attributes: [attribute('user.id', 'bob')] },
  { attributes: [attribute('a', 'b'), attribute('user.email', 'bob@example.com')] },
  { attributes: [attribute('user.id', '00u1'), attribute('user.groups', 'admins')] },
  { attributes: [attribute('user.id', '00u1'), attribute('user.id', 'bob')] },
  { attributes: [{ key: 'user.id', value: { intValue: 7 } }] },
  { attributes: [{ key: 'user.id' }] },
]

const HOLDER: Record<OtlpSignal, string> = { metrics: 'resourceMetrics', logs: 'resourceLogs', traces: 'resourceSpans' }
const point = { timeUnixNano: '1796000000000000001', asInt: '9007199254740993', attributes: [attribute('user.id', 'of the point')] }
const INSIDE: Record<OtlpSignal, object> = {
  metrics: { scopeMetrics: [{ scope: { name: 'com.anthropic.claude_code' }, metrics: [{ name: 'claude_code.token.usage', sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [point] } }] }] },
  logs: { scopeLogs: [{ logRecords: [{ timeUnixNano: '1', body: { stringValue: 'claude_code.user_prompt' } }] }] },
  traces: { scopeSpans: [{ spans: [{ name: 's', kind: 1, startTimeUnixNano: '1', endTimeUnixNano: '2' }] }] },
}
const SIGNALS = Object.keys(HOLDER) as OtlpSignal[]
const request = (signal: OtlpSignal, ...resources: (object | undefined)[]) => ({ [HOLDER[signal]]: resources.map((resource) => ({ ...(resource && { resource }), ...INSIDE[signal], schemaUrl: 'https://opentelemetry.io/schemas/1.30.0' })) })
const attributesOf = (message: any, signal: OtlpSignal) => message[HOLDER[signal]].map(({ resource }: any) => resource?.attributes)

describe('a person', () => {
  test('of many groups is told with those that fit, each of them whole', () => {
    const groups = Array.from({ length: 2000 }, (_, n) => `group-${n}`)
    const told = new Map(identityAttributes({ sub: 's', email: undefined, groups })).get('user.groups') as string
    expect(told.length).toBeLessThanOrEqual(4096)
    expect(told.split(',')).toEqual(groups.slice(0, told.split(',').length))
    expect(told.length + `,group-${told.split(',').length}`.length).toBeGreaterThan(4096)
    expect(identityAttributes({ sub: 's', email: undefined, groups: ['x'.repeat(5000)] })).toEqual([['user.id', 's']])
  })

  test('whose address is not known is put beside nobody else\'s', () => {
    const nameless = identityAttributes({ sub: 's', email: undefined, groups: [] })
    const text = '{"resourceLogs":[{"resource":{"attributes":[{"key":"user.email","value":{"stringValue":"bob@example.com"}}]}}]}'
    expect(Buffer.from(stampJson(Buffer.from(text), nameless) as Uint8Array).toString()).toBe(text)
  })

  test('is told by what is known of them', () => {
    expect(identityAttributes({ sub: 's', email: undefined, groups: [] })).toEqual([['user.id', 's']])
  })
})

describe.each(SIGNALS)('an export of %s in protobuf', (signal) => {
  test('gets on each resource what is missing there, and nothing else of it changes', () => {
    const message = request(signal, { attributes: [attribute('service.name', 'claude-code')], droppedAttributesCount: 3 }, undefined, { attributes: [] }, { attributes: [attribute('user.id', '00u1'), attribute('x', 'y')] }, ...OTHERS)
    const stamped = decodeOtlp(signal, stampProtobuf(encodeOtlp(signal, message), PERSON) as Uint8Array)
    const expected = decodeOtlp(signal, encodeOtlp(signal, message))
    const [first, second, third, fourth] = expected[HOLDER[signal]]
    first.resource.attributes.push(...ADDED)
    second.resource = { attributes: ADDED }
    third.resource = { attributes: ADDED }
    fourth.resource.attributes.push(...ADDED.slice(1))
    expect(stamped).toEqual(expected)
  })

  test('that says all of it already is the same, byte for byte', () => {
    const bytes = encodeOtlp(signal, request(signal, { attributes: ADDED.map(({ key }) => attribute(key, 'own')) }))
    expect(Buffer.from(stampProtobuf(bytes, PERSON) as Uint8Array)).toEqual(Buffer.from(bytes))
  })
})

describe.each(SIGNALS)('an export of %s in JSON', (signal) => {
  test('gets on each resource what is missing there', () => {
    const message = request(signal, { attributes: [attribute('service.name', 'claude-code')] }, undefined, { attributes: [] }, {}, { attributes: [attribute('user.email', 'alice@example.com')] }, ...OTHERS)
    const stamped = JSON.parse(Buffer.from(stampJson(Buffer.from(JSON.stringify(message)), PERSON) as Uint8Array).toString())
    expect(attributesOf(stamped, signal)).toEqual([[...ADDED, attribute('service.name', 'claude-code')], ADDED, ADDED, ADDED, [ADDED[0], ADDED[2], ADDED[1]], ...OTHERS.map(({ attributes }) => attributes)])
    expect(stamped[HOLDER[signal]][0]).toMatchObject(INSIDE[signal])
  })
})

describe('what is not understood', () => {
  test('in protobuf is kept: fields of another version, at every level and between the resources', () => {
    const varint = (number: number, value: number) => [(number << 3) | 0, value]
    const message = (number: number, ...content: number[]) => [(number << 3) | 2, content.length, ...content]
    const resource = [...varint(15, 7), ...message(1, ...message(1, 0x61), ...varint(14, 1))]
    const holder = [...varint(15, 9), ...message(1, ...resource), 0x7d, 1, 2, 3, 4]
    const bytes = Uint8Array.from([...varint(15, 5), ...message(1, ...holder), 0x79, 1, 2, 3, 4, 5, 6, 7, 8])
    const added = Buffer.concat(PERSON.map(([key, value]) => Buffer.from(message(1, ...message(1, ...Buffer.from(key)), ...message(2, ...message(1, ...Buffer.from(value)))))))
    const grown = Buffer.concat([Buffer.from(resource), added])
    const newHolder = Buffer.concat([Buffer.from([...varint(15, 9), 0x0a, grown.length]), grown, Buffer.from([0x7d, 1, 2, 3, 4])])
    const expected = Buffer.concat([Buffer.from([...varint(15, 5), 0x0a, newHolder.length]), newHolder, Buffer.from([0x79, 1, 2, 3, 4, 5, 6, 7, 8])])
    expect(Buffer.from(stampProtobuf(bytes, PERSON) as Uint8Array)).toEqual(expected)
  })

  test('in JSON stays as it is written, numbers too large for JavaScript with it', () => {
    const text = '{ "resourceMetrics" : [ {"resource":{ "attributes" : [ ] },"big": 12345678901234567890, "x":1.0} ] , "later": null}'
    const stamped = Buffer.from(stampJson(Buffer.from(text), [['user.id', 'a"b']]) as Uint8Array).toString()
    expect(stamped).toBe('{ "resourceMetrics" : [ {"resource":{ "attributes" : [{"key":"user.id","value":{"stringValue":"a\\"b"}} ] },"big": 12345678901234567890, "x":1.0} ] , "later": null}')
  })

  test.each([
    ['{"resource_spans":[{"resource":null}]}', '{"resource_spans":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":"v"}}]}}]}'],
    ['{"resourceLogs":[{"resource":{"attributes":null,"a":1}}]}', '{"resourceLogs":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":"v"}}],"a":1}}]}'],
    ['{"resourceLogs":[{}]}', '{"resourceLogs":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":"v"}}]}}]}'],
    ['{"resourceLogs":[{"resource":{"attributes":[{"\\u006bey":"k"}]}}]}', '{"resourceLogs":[{"resource":{"attributes":[{"\\u006bey":"k"}]}}]}'],
    ['{"resourceLogs":[1,null]}', '{"resourceLogs":[1,null]}'],
    ['{"resourceLogs":{}}', '{"resourceLogs":{}}'],
    ['{}', '{}'],
  ])('in JSON %s becomes %s', (text, expected) => {
    expect(Buffer.from(stampJson(Buffer.from(text), [['k', 'v']]) as Uint8Array).toString()).toBe(expected)
  })

  test.each(['', '[]', '{"resourceLogs":[', '{"a":1}x', '\xff'])('at all (%p) is not touched', (text) => {
    expect(stampJson(Buffer.from(text, 'latin1'), PERSON)).toBeUndefined()
  })

  test.each([
    ['a field beyond the end', [0x0a, 5, 1]],
    ['a number that never ends', [0x0a, ...Array(11).fill(0x80)]],
    ['a group', [0x0b, 0x0c]],
    ['field 0', [0x02, 0]],
    ['a number where a resource has to be', [0x08, 1]],
    ['a length of nearly 2^64', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ['text', [...Buffer.from('{"resourceMetrics":[]}')]],
  ])('at all (%s) is not touched', (_, bytes) => {
    expect(stampProtobuf(Uint8Array.from(bytes), PERSON)).toBeUndefined()
  })

  // A body of nothing but empty resources would grow a hundredfold.
  test('is what would grow without measure', () => {
    expect(stampProtobuf(Buffer.alloc(2 * 2000, Buffer.from([0x0a, 0])), PERSON)).toBeUndefined()
    expect(stampProtobuf(Buffer.concat([Buffer.from([0x0a, 0xc0, 0x9a, 0x0c]), Buffer.alloc(200_000, Buffer.from([0x08, 1]))]), PERSON)).toBeUndefined()
    expect(stampJson(Buffer.from(`{"resourceLogs":[${Array(2000).fill('{}')}]}`), PERSON)).toBeUndefined()
  })

  test('whatever the bytes are, ends, and what comes out is what came in with more in it', () => {
    const valid = Buffer.from(encodeOtlp('metrics', request('metrics', { attributes: [attribute('a', 'b')] })))
    let [seed, touched] = [7, 0]
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(valid)
      for (let change = 0; change <= random(3); change++) bytes[random(bytes.length)] = random(256)
      const stamped = stampProtobuf(bytes.subarray(0, 1 + random(bytes.length)), PERSON)
      if (stamped === undefined) continue
      touched++
      expect(stampProtobuf(stamped, PERSON)).toEqual(stamped)
    }
    expect(touched).toBeGreaterThan(100)
  })
})

describe('an export that is compressed', () => {
  const item = (contentType: string, body: Uint8Array) => ({ sub: 's', signal: 'metrics' as const, contentType, contentEncoding: 'gzip', body: gzipSync(body) })

  test('is compressed again', async () => {
    const stamped = await stamp(item('application/x-protobuf', encodeOtlp('metrics', request('metrics', undefined))), PERSON)
    expect(attributesOf(decodeOtlp('metrics', gunzipSync(stamped?.body as Uint8Array)), 'metrics')).toEqual([ADDED])
    const json = await stamp(item('application/json', Buffer.from('{"resourceMetrics":[{}]}')), PERSON)
    expect(JSON.parse(gunzipSync(json?.body as Uint8Array).toString()).resourceMetrics[0].resource.attributes).toEqual(ADDED)
  })

  test.each([
    ['is no gzip', Buffer.from('no gzip')],
    ['would be too large', gzipSync(Buffer.alloc(64 * 1024 * 1024))],
  ])('and %s is not touched', async (_, body) => {
    expect(await stamp({ ...item('application/x-protobuf', Buffer.alloc(0)), body }, PERSON)).toBeUndefined()
  })

  // Some kilobytes of gzip would keep everybody waiting.
  test('is not touched where it would take long to read', async () => {
    const json = (length: number) => item('application/json', Buffer.from(JSON.stringify({ resourceMetrics: [{ x: 'a'.repeat(length) }] })))
    expect(await stamp(json(5 * 1024 * 1024), PERSON)).toBeUndefined()
    expect(await stamp({ ...json(0), contentEncoding: undefined, body: gunzipSync(json(5 * 1024 * 1024).body) }, PERSON)).toBeUndefined()
    expect(await stamp(json(3 * 1024 * 1024), PERSON)).toBeDefined()
  })

  test('is not touched where it would grow without measure', async () => {
    const groups = Array.from({ length: 400 }, (_, n) => `group-${n}`)
    const json = { ...item('application/json', Buffer.from(`{"resourceLogs":[${Array(1000).fill('{}')}]}`)) }
    expect(await stamp(json, identityAttributes({ sub: 's', email: undefined, groups }))).toBeUndefined()
    expect(await stamp(json, identityAttributes({ sub: 's', email: undefined, groups: groups.slice(0, 20) }))).toBeDefined()
  })
})
