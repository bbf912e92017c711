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
    ['nothing elsewhere', '{"metadata":{"model":"b"},"messages":[{"model":"c"}]}', []],
    ['nothing of another shape', '{"fallbacks":{"model":"b"},"tools":[{"model":{"a":1}},7,null,[]]}', []],
  ])('are %s', (_, body, names) => {
    expect(nestedModels(jsonObject(body)).map(({ name }) => name)).toEqual(names)
  })

  test('are told apart by where they stand', () => {
    expect(nestedModels(jsonObject('{"tools":[{"name":"x"},{"model":"b"}],"fallbacks":["c",{"model":"d"}]}')).map(({ place }) => place)).toEqual(['tools.1.model', 'fallbacks.0', 'fallbacks.1.model'])
  })
})
