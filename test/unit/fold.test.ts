import { describe, expect, test } from 'bun:test'
import { createFold } from '../../src/http/fold.ts'
import { countEvents } from '../../src/observe/event-counts.ts'
import type { AuditEvent, Observation } from '../../src/observe/events.ts'

function folding() {
  const told: Observation[] = []
  const fold = createFold((one) => void told.push(one))
  const flood = (times: number, event: AuditEvent) => {
    for (let n = 0; n < times; n++) fold.observe({ ...event, request_id: `r${n}` })
  }
  return { fold, told, flood }
}
const DENIED = { evt: 'auth.denied', client_ip: '198.51.100.7', reason: 'malformed', method: 'GET', path: '/' } as const

describe('what a caller without a sign-in does again and again', () => {
  test('is told a hundred times, and of the rest once, with how many', () => {
    const { fold, told, flood } = folding()
    flood(5000, DENIED)
    expect(told).toEqual(Array.from({ length: 100 }, (_, n) => ({ ...DENIED, request_id: `r${n}` })))
    fold.turn()
    expect(told.slice(100)).toEqual([{ ...DENIED, request_id: 'r4999', repeated: 4900 }])
    fold.turn()
    expect(told).toHaveLength(101)
    flood(100, DENIED)
    fold.turn()
    expect(told).toHaveLength(201)
  })

  test.each<[string, AuditEvent]>([
    ['another address', { ...DENIED, client_ip: '198.51.100.8' }],
    ['another reason', { ...DENIED, reason: 'expired' }],
    ['another event', { evt: 'admin.denied', client_ip: '198.51.100.7', method: 'GET', path: '/' }],
    ['another outcome', { evt: 'device.verify', client_ip: '198.51.100.7', outcome: 'unknown_code' }],
  ])('keeps nothing back of %s', (_, other) => {
    const { told, flood } = folding()
    flood(200, DENIED)
    flood(200, { evt: 'device.verify', client_ip: '198.51.100.7', outcome: 'rate_limited' })
    flood(1, other)
    expect(told.at(-1)).toEqual({ ...other, request_id: 'r0' })
  })

  test('is one caller from all of an IPv6 /64', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 150; n++) flood(1, { ...DENIED, client_ip: `2001:db8::${n}` })
    fold.turn()
    expect(told).toHaveLength(101)
    expect(told.at(-1)).toMatchObject({ repeated: 50, client_ip: '2001:db8::149' })
  })

  test('is told by its network from more addresses than are counted, apart by its reason', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 20_000; n++) flood(1, { ...DENIED, client_ip: `2001:db8:7:${n.toString(16)}::1`, reason: n % 2 === 0 ? 'expired' : 'malformed' })
    expect(told).toHaveLength(1020)
    fold.turn()
    const rest = { evt: 'auth.denied', method: 'GET', path: '/', request_id: 'r0', client_network: '2001:db8:7::/48', repeated: 9490 } as const
    expect(told.slice(1020)).toEqual([{ ...rest, reason: 'expired' }, { ...rest, reason: 'malformed' }])
  })

  test('is told with its address all the same, when somebody else has filled the room with addresses of theirs', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 5000; n++) flood(1, { ...DENIED, client_ip: `2001:db8:7:${n.toString(16)}::1` })
    const other = { ...DENIED, client_ip: '203.0.113.9' }
    flood(5000, other)
    expect(told.filter((one) => 'client_ip' in one && one.client_ip === other.client_ip)).toHaveLength(10)
    fold.turn()
    const { client_ip: _, ...rest } = other
    expect(told.at(-1)).toEqual({ ...rest, request_id: 'r4999', client_network: '203.0.113.0/24', repeated: 4990 })
  })

  test('is told by the wider network from more networks than are counted', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 5000; n++) flood(1, { ...DENIED, client_ip: `2001:db8:${n.toString(16)}::1` })
    flood(50, { ...DENIED, client_ip: '198.51.100.7' })
    const before = told.length
    fold.turn()
    expect(told.slice(before).map((one) => ('client_network' in one ? [one.client_network, one.repeated] : []))).toEqual([['2001:db8::/32', 2990], ['198.51.0.0/16', 40]])
  })

  test('is told without an address from more of those than are counted', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 20_000; n++) flood(1, { ...DENIED, client_ip: `${(0x2001 + n).toString(16)}:1::1` })
    expect(told).toHaveLength(3010)
    fold.turn()
    expect(told.slice(3010)).toEqual([{ evt: 'auth.denied', reason: 'malformed', method: 'GET', path: '/', request_id: 'r0', repeated: 16_990 }])
  })

  test('is told a thousand times of all together, and of each some few beyond', () => {
    const { fold, told, flood } = folding()
    for (let n = 0; n < 200; n++) flood(100, { ...DENIED, client_ip: `203.0.113.${n}` })
    expect(told).toHaveLength(1000 + 190 * 10)
    // Another event has a thousand of its own.
    flood(30, { evt: 'device.authorize', client_ip: '198.51.100.7', device_code_hash: 'x', surface: 'claude_code' })
    expect(told).toHaveLength(2930)
    fold.turn()
    expect(told.slice(2930)).toHaveLength(190)
    flood(1, DENIED)
    expect(told).toHaveLength(2930 + 190 + 1)
  })
})

test.each<[string, Observation]>([
  ['a request', { evt: 'inference.denied', path: '/v1/messages', model: 'x', reason: 'model', sub: 'alice', client_ip: '198.51.100.7' }],
  ['a sign-in of somebody', { evt: 'page.sign_in', outcome: 'signed_in', sub: 'alice', client_ip: '198.51.100.7' }],
  ['a refresh of a session', { evt: 'session.refresh', outcome: 'refused', sid: 's', client_ip: '198.51.100.7' }],
  ['a refused administrator', { evt: 'admin.denied', actor: 'admin-key:read', method: 'POST', path: '/', client_ip: '198.51.100.7' }],
  ['an operational line', { op: 'warn', message: 'x' }],
])('%s is told each time', (_, observation) => {
  const { fold, told } = folding()
  for (let n = 0; n < 300; n++) fold.observe(observation)
  fold.turn()
  expect(told).toEqual(Array.from({ length: 300 }, () => observation))
})

test('metrics count all of them', () => {
  const counts = countEvents(() => {})
  const fold = createFold(counts.observe)
  for (let n = 0; n < 777; n++) fold.observe(DENIED)
  fold.turn()
  expect(counts.families().find(({ name }) => name === 'gatehouse_refusals_total')?.samples).toMatchObject([{ value: 777 }])
})
