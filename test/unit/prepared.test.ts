import { describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { prepared, toStatement } from '../../src/db/prepared.ts'

const find = prepared<{ name: string; age: number | null }>(({ name, age }) => sql`select ${sql`make_interval(secs => ${5})`} where name = ${name} and (${age}::int is null or age > ${age}) and nick = ${name}`)

describe('a prepared statement', () => {
  test('has the text and the parameters that drizzle makes of the same template', () => {
    const [name, age] = ['Ann', 7]
    const plain = toStatement(sql`select ${sql`make_interval(secs => ${5})`} where name = ${name} and (${age}::int is null or age > ${age}) and nick = ${name}`)
    expect(find({ name, age })).toEqual(plain)
    expect(plain.values).toEqual([5, 'Ann', 7, 7, 'Ann'])
  })

  test('has one text, and in each run the parameters of that run', () => {
    const [first, second] = [find({ name: 'Ann', age: null }), find({ name: 'Bob', age: 0 })]
    expect(second.text).toBe(first.text)
    expect([first.values, second.values]).toEqual([
      [5, 'Ann', null, null, 'Ann'],
      [5, 'Bob', 0, 0, 'Bob'],
    ])
  })

  test('lets no parameter into its text, whatever it holds', () => {
    const hostile = `'; drop table session; -- $1 \${name}`
    expect(find({ name: hostile, age: 1 })).toEqual({ text: find({ name: '', age: 1 }).text, values: [5, hostile, 1, 1, hostile] })
  })

  test('is passed on as it is', () => {
    const statement = find({ name: 'Ann', age: 1 })
    expect(toStatement(statement)).toBe(statement)
  })
})
