import { describe, expect, test } from 'bun:test'
import { createOpaqueToken, createUserCode, hashToken, readUserCode, showUserCode, USER_CODE_LETTERS } from '../../src/oauth/codes.ts'

const COUNT = 40_000

describe('a user code', () => {
  const codes = Array.from({ length: COUNT }, createUserCode)

  // T065
  test('is eight letters of the twenty that make no words', () => {
    expect(USER_CODE_LETTERS).toBe('BCDFGHJKMNPQRSTVWXYZ')
    expect(codes.filter((code) => !/^[BCDFGHJKMNPQRSTVWXYZ]{8}$/.test(code))).toEqual([])
  })

  test('has every letter equally often', () => {
    const counts = new Map<string, number>()
    for (const letter of codes.join('')) counts.set(letter, (counts.get(letter) ?? 0) + 1)
    const expected = (COUNT * 8) / USER_CODE_LETTERS.length
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
    // 19 degrees of freedom: a uniform source is beyond 90 less than once in a billion runs; `byte % 20` is at 330.
    expect(chiSquare).toBeLessThan(90)
  })

  test('is shown in two halves', () => {
    expect(showUserCode('WDJBMJHT')).toBe('WDJB-MJHT')
  })

  // T066
  test.each(['WDJB-MJHT', 'wdjb-mjht', 'WDJBMJHT', 'wdjb mjht', '  wDjB  mJhT ', 'W-D-J-B-M-J-H-T'])('is read from %j', (typed) => {
    expect(readUserCode(typed)).toBe('WDJBMJHT')
  })

  test.each([
    ['nothing', ''],
    ['blanks', '    '],
    ['dashes', '--------'],
    ['too few letters', 'WDJB-MJH'],
    ['too many letters', 'WDJB-MJHTX'],
    ['a vowel', 'WDJB-MJHA'],
    ['a digit', 'WDJB-MJH1'],
    ['the letter L', 'WDJB-MJHL'],
    ['fullwidth letters', 'ＷＤＪＢ-ＭＪＨＴ'],
    ['letters that become others in upper case', 'ßßßß'],
    ['a long s', 'ſſſſſſſſ'],
    ['a zero-width joiner', 'WDJB\u200dMJHT'],
    ['NUL', 'WDJB\0MJHT'],
    ['a line break', 'WDJB\nMJHT'],
    ['another dash', 'WDJB–MJHT'],
    ['markup', '<img src=x>'],
    ['a megabyte', 'W'.repeat(1_048_576)],
    ['a megabyte of blanks around a code', `WDJBMJHT${' '.repeat(1_048_576)}`],
  ])('is not read from %s', (_, typed) => {
    expect(readUserCode(typed)).toBeUndefined()
  })

  test('is not read from nothing at all', () => {
    expect(readUserCode(undefined)).toBeUndefined()
  })
})

describe('a token', () => {
  // T064
  test('holds at least 256 bits and never comes twice', () => {
    const tokens = Array.from({ length: 10_000 }, () => createOpaqueToken())
    expect(tokens.filter((token) => !/^[\w-]{43}$/.test(token))).toEqual([])
    expect(new Set(tokens).size).toBe(10_000)
  })

  test('has each of 64 characters equally often, in every place', () => {
    const tokens = Array.from({ length: COUNT }, () => createOpaqueToken())
    const chiSquares = Array.from({ length: 43 }, (_, place) => {
      const counts = new Map<string, number>()
      for (const token of tokens) counts.set(token[place] as string, (counts.get(token[place] as string) ?? 0) + 1)
      expect(counts.size).toBe(64)
      return [...counts.values()].reduce((sum, count) => sum + (count - COUNT / 64) ** 2 / (COUNT / 64), 0)
    })
    // 63 degrees of freedom: a uniform source is beyond 180 less than once in a billion places; a last character of 4 bits has 16 values.
    expect(Math.max(...chiSquares)).toBeLessThan(180)
  })

  test('keeps its prefix in front', () => {
    expect(createOpaqueToken('ghr_')).toMatch(/^ghr_[\w-]{43}$/)
  })

  test('is stored as its SHA-256', () => {
    expect(hashToken('abc')).toBe('ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0')
  })
})
