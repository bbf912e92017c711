import { describe, expect, test } from 'bun:test'
import { exposition } from '../../src/observe/metrics.ts'

describe('the exposition of metrics', () => {
  test('escapes what would end a label or a line', () => {
    const text = exposition([{ name: 'a_total', type: 'counter', help: 'one\ntwo\\', samples: [{ labels: { model: 'x"} 9\n\\' }, value: 1 }] }])
    expect(text).toBe('# HELP a_total one\\ntwo\\\\\n# TYPE a_total counter\na_total{model="x\\"} 9\\n\\\\"} 1\n')
  })

  test('leaves out what has no sample, and writes infinity as Prometheus reads it', () => {
    const gauge = (name: string, value: number[]) => ({ name, type: 'gauge' as const, help: 'h', samples: value.map((one) => ({ labels: {}, value: one })) })
    expect(exposition([gauge('none', []), gauge('some', [Number.POSITIVE_INFINITY])])).toBe('# HELP some h\n# TYPE some gauge\nsome +Inf\n')
  })
})
