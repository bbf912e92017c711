import { describe, expect, test } from 'bun:test'
import { nestedModels } from '../../src/relay/nested-models.ts'
import { jsonObject } from '../support/upstream-request.ts'

describe('the models that a request names besides its own', () => {
  test.each([
    ['a model to fall back to', '{"model":"a","fallbacks":[{"model":"b"},{"model":"c","x":1}]}', ['b', 'c']],
    ['a model to fall back to, by its name alone', '{"fallbacks":["b\\"","c"]}', ['b"', 'c']],
    ['the model of a tool', '{"tools":[{"name":"x"},{"type":"advisor_20260301","model":"b"}]}', ['b']],
    ['a name written with escapes', '{"tools":[{"mod\\u0065l":"b"}],"fallb\\u0061cks":[{"\\u006dodel":"c"}]}', ['b', 'c']],
    ['a name given twice', '{"tools":[{"model":"b","model":"c"}],"fallbacks":[{"model":"d"}],"fallbacks":[{"model":"e"}]}', ['b', 'c', 'd', 'e']],
    ['nothing deeper, where a schema may have a field of that name', '{"tools":[{"input_schema":{"properties":{"model":{"type":"string"}}}}]}', []],
    ['a model deeper in a tool', '{"model":"a","tools":[{"type":"advisor","config":{"model":"b"}}]}', ['b']],
    ['a model wherever the API may come to take one', '{"model":"a","context_management":{"edits":[{"model":"b"}]},"mcp_servers":[{"x":[[{"model":"c"}]]}],"fallbacks":{"model":"d"}}', ['b', 'c', 'd']],
    ['nothing that is not the API’s to read', '{"messages":[{"role":"assistant","content":[{"type":"tool_use","input":{"model":"c"}}]}],"tools":[{"input_examples":[{"model":"d"}]}]}', []],
    ['nothing that is a text', '{"model":"a","messages":[{"role":"user","content":"{\\"model\\":\\"b\\"} \\u006d"}]}', []],
    ['a model of a block that holds another one', '{"a":{"type":"fallback","from":{"model":"b","c":{"type":"fallback","to":{"model":"d"}}}}}', ['b']],
    ['not the models that an earlier answer was passed between', '{"messages":[{"content":[{"from":{"model":"b"},"to":{"model":"c"},"type":"fallback"},{"type":"other","from":{"model":"d"}}]}]}', ['d']],
    ['nothing of another shape', '{"tools":[{"model":{"a":1}},7,null,[],{"model":["b"]}]}', []],
    ['a model in another model', '{"tools":[{"model":{"model":"b"}}]}', ['b']],
  ])('are %s', (_, body, names) => {
    expect(nestedModels(jsonObject(body)).map(({ name }) => name)).toEqual(names)
  })

  // A member may stand a thousand deep: going down again for each level would take a thousand passes.
  test('are found in one pass, however deep', () => {
    const deep = `{"x":${'{"a":['.repeat(500)}{"model":"b"}${']}'.repeat(500)}}`
    expect(nestedModels(jsonObject(deep)).map(({ name }) => name)).toEqual(['b'])
  })

  test('are refused where there are more than could have a reason', () => {
    const named = (times: number) => () => nestedModels(jsonObject(`{"x":[${'{"model":"b"},'.repeat(times)}{}]}`)).length
    expect(named(1000)()).toBe(1000)
    for (const times of [1001, 100_000]) expect(named(times)).toThrow('the request names more than 1000 models')
    expect(() => nestedModels(jsonObject(`{"x":[${'{"model":1},'.repeat(3000)}{"model":"b"}]}`))).toThrow('more than 1000 models')
    expect(() => nestedModels(jsonObject(`{"fallbacks":[${'"b",'.repeat(1001)}"b"]}`))).toThrow('more than 1000 models')
  })

  test('say whether the API runs them', () => {
    expect(nestedModels(jsonObject('{"fallbacks":["a",{"model":"b"}],"tools":[{"model":"c","config":{"model":"d"}}],"x":{"model":"e"}}')).map(({ name, isRun }) => [name, isRun])).toEqual([['a', true], ['b', true], ['c', true], ['d', false], ['e', false]])
  })

  test('are told apart by where they stand', () => {
    expect(nestedModels(jsonObject('{"tools":[{"name":"x"},{"model":"b"}],"fallbacks":["c",{"model":"d"}]}')).map(({ place }) => place)).toEqual(['fallbacks.0', 'tools.1.model', 'fallbacks.1.model'])
  })
})
