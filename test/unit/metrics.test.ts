import { describe, expect, test } from 'bun:test'
import { PUBLIC_PATHS, surfaceOf } from '../../src/http/surfaces.ts'
import { countEvents } from '../../src/observe/event-counts.ts'
import type { Observation } from '../../src/observe/events.ts'
import { boundedTo, createCounter, createHistogram } from '../../src/observe/instruments.ts'
import { exposition } from '../../src/observe/metrics.ts'
import { readExposition } from '../support/exposition.ts'

describe('the exposition of metrics', () => {
  test('escapes what would end a label or a line', () => {
    const text = exposition([{ name: 'a_total', type: 'counter', help: 'one\ntwo\\', samples: [{ labels: { model: 'x"} 9\n\\' }, value: 1 }] }])
    expect(text).toBe('# HELP a_total one\\ntwo\\\\\n# TYPE a_total counter\na_total{model="x\\"} 9\\n\\\\"} 1\n')
    expect(readExposition(text).get('a_total')?.lines).toEqual([{ name: 'a_total', labels: { model: 'x"} 9\n\\' }, value: 1 }])
  })

  test('leaves out what has no sample, and writes infinity as Prometheus reads it', () => {
    const gauge = (name: string, value: number[]) => ({ name, type: 'gauge' as const, help: 'h', samples: value.map((one) => ({ labels: {}, value: one })) })
    expect(exposition([gauge('none', []), gauge('some', [Number.POSITIVE_INFINITY])])).toBe('# HELP some h\n# TYPE some gauge\nsome +Inf\n')
  })

  test('leaves out a label without a value', () => {
    expect(exposition([{ name: 'a', type: 'gauge', help: 'h', samples: [{ labels: { error_type: '' }, value: 1 }] }])).toEndWith('\na 1\n')
  })

  // The reader of the other tests would be worth nothing if it let these pass.
  test.each([
    ['no end', '# HELP a h\n# TYPE a gauge\na 1'],
    ['no type', '# HELP a h\na 1\n'],
    ['two places', '# HELP a h\n# TYPE a gauge\na 1\n# HELP a h\n# TYPE a gauge\na{b="c"} 1\n'],
    ['another name', '# HELP a h\n# TYPE a gauge\nb 1\n'],
    ['twice', '# HELP a h\n# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n'],
    ['open label', '# HELP a h\n# TYPE a gauge\na{b="c} 1\n'],
    ['raw quote', '# HELP a h\n# TYPE a gauge\na{b="c"d"} 1\n'],
    ['a counter without its ending', '# HELP a h\n# TYPE a counter\na 1\n'],
    ['falling buckets', '# HELP a h\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n'],
    ['another count', '# HELP a h\n# TYPE a histogram\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n'],
    ['no infinity', '# HELP a h\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n'],
  ])('read strictly is refused with %s', (_, text) => {
    expect(() => readExposition(text)).toThrow()
  })
})

describe('a histogram', () => {
  test('counts each value in its bucket and in all above, the bound itself included', () => {
    const histogram = createHistogram({ name: 'h', help: 'h', labels: ['who'], bounds: [1, 2.5] })
    for (const value of [0, 1, 1.5, 2.5, 7]) histogram.observe(value, 'a')
    histogram.observe(1, 'b')
    const lines = readExposition(exposition([histogram.family()])).get('h')?.lines.map(({ name, labels, value }) => [name, labels.who, labels.le, value])
    expect(lines).toEqual([
      ['h_bucket', 'a', '1', 2],
      ['h_bucket', 'a', '2.5', 4],
      ['h_bucket', 'a', '+Inf', 5],
      ['h_sum', 'a', undefined, 12],
      ['h_count', 'a', undefined, 5],
      ['h_bucket', 'b', '1', 1],
      ['h_bucket', 'b', '2.5', 1],
      ['h_bucket', 'b', '+Inf', 1],
      ['h_sum', 'b', undefined, 1],
      ['h_count', 'b', undefined, 1],
    ])
  })
})

describe('a counter', () => {
  test('keeps values of labels apart, whatever is in them', () => {
    const counter = createCounter({ name: 'c_total', help: 'h', labels: ['a', 'b'] })
    counter.add(1, 'x', 'y\0z')
    counter.add(1, 'x\0y', 'z')
    counter.add(2, 'x', 'y\0z')
    counter.add(1, 'x', '')
    expect(counter.family().samples.map(({ labels, value }) => [labels.a, labels.b, value])).toEqual([['x', 'y\0z', 3], ['x\0y', 'z', 1], ['x', '', 1]])
  })

  test('counts as other what comes when it has as many series as it may, and loses nothing', () => {
    const counter = createCounter({ name: 'c_total', help: 'h', labels: ['a', 'b'], most: 3 })
    for (let at = 0; at < 1000; at++) counter.add(1, `a${at}`, 'b')
    const { samples } = counter.family()
    expect(samples.map(({ labels }) => labels.a)).toEqual(['a0', 'a1', 'a2', 'other'])
    expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(1000)
  })

  test('without labels is one number', () => {
    const counter = createCounter({ name: 'c_total', help: 'h' })
    counter.add(2)
    counter.add(3)
    expect(counter.family().samples).toEqual([{ labels: {}, value: 5 }])
  })
})

test('a name that nobody configured is other', () => {
  expect(['anthropic', 'evil', '', '__proto__'].map(boundedTo(['anthropic']))).toEqual(['anthropic', 'other', 'other', 'other'])
})

test.each([
  ['/v1/messages', 'messages'],
  ['/v1/messages/count_tokens', 'count_tokens'],
  ['/v1/messages/batches', 'other'],
  ['/v1/models/claude-x', 'models'],
  ['/v1/logs', 'telemetry'],
  ['/oauth/token', 'sign_in'],
  ['/device/deny', 'sign_in'],
  ['/v1/organizations/spend_limits/spl_1', 'admin'],
  ['/readyz', 'health'],
  ['/me/usage', 'me'],
  ['/api/oauth/usage', 'me'],
  ['/', 'page'],
  ['', 'other'],
  ['/wp-login.php', 'other'],
])('the path %p is the surface %p', (path, surface) => {
  expect(surfaceOf(path)).toBe(surface)
})

test('every public path has a surface', () => {
  expect(PUBLIC_PATHS.filter(({ path }) => surfaceOf(path) === 'other')).toEqual([])
})

describe('events', () => {
  const counted = (...events: Observation[]) => {
    const passed: Observation[] = []
    const counts = countEvents((one) => passed.push(one))
    events.forEach(counts.observe)
    expect(passed).toEqual(events)
    return counts.families().flatMap(({ name, samples }) => samples.map(({ labels, value }) => [name.replace(/^gatehouse_|_total$/g, ''), ...Object.values(labels), value].join(' ')))
  }

  test('are counted by what they say, and passed on', () => {
    const denied = { evt: 'auth.denied', method: 'GET', path: '/x' } as const
    expect(
      counted(
        { ...denied, reason: 'expired' },
        { ...denied, reason: 'expired' },
        { evt: 'inference.denied', path: '/v1/messages', model: 'x', reason: 'quota_requests' },
        { evt: 'inference.denied', path: '/v1/messages', model: 'x', reason: 'not_served' },
        { evt: 'spend.blocked', reason: 'limit' },
        { evt: 'device.callback', outcome: 'approved' },
        { evt: 'device.callback', outcome: 'refused', reason: 'email_unverified' },
        { evt: 'session.refresh', outcome: 'refreshed' },
        { evt: 'session.revoke', sid: 's', by: 'reuse' },
        { evt: 'admin.limit.delete', actor: 'a', limit_id: 'l', scope: 'user', scope_id: 'u', period: 'daily', shared: false },
        { op: 'warn', message: 'm' },
        { op: 'info', message: 'm' },
      ).toSorted(),
    ).toEqual(['admin_changes limit.delete 1', 'log_lines warn 1', 'refusals bearer expired 2', 'refusals policy not_served 1', 'refusals quota requests 1', 'refusals spend limit 1', 'session_refreshes refreshed  1', 'session_revocations reuse 1', 'sign_ins approved  1', 'sign_ins refused email_unverified 1'])
  })

  // T264
  test('with reasons of somebody else\'s choosing do not make series', () => {
    const reasons = ['Bob <bob@example.com>', 'x'.repeat(100), ...Array.from({ length: 10_000 }, (_, at) => `reason_${at}`)]
    const lines = counted(...reasons.map((reason) => ({ evt: 'auth.denied', reason, method: 'GET', path: '/' }) as const))
    expect(lines.length).toBeLessThanOrEqual(201)
    expect(lines.join('\n')).not.toContain('bob')
  })
})
