import { expect, test } from 'bun:test'
import { arrayLiteral } from '../../src/db/array-literal.ts'

test.each<[Parameters<typeof arrayLiteral>[0], string]>([
  [[], '{}'],
  [[1, -2, null, undefined], '{1,-2,null,null}'],
  [[10n ** 18n], '{1000000000000000000}'],
  [['a b', '', 'null', '{1,2}'], '{"a b","","null","{1,2}"}'],
  [['say "no"', 'C:\\x', 'é\n'], '{"say \\"no\\"","C:\\\\x","é\n"}'],
])('%p is %s', (values, literal) => expect(arrayLiteral(values)).toBe(literal))
