import { describe, expect, test } from 'bun:test'
import { createSource } from '../../src/relay/source.ts'

function setup() {
  let upstream!: ReadableStreamDefaultController<Uint8Array>
  const source = createSource(new ReadableStream({ start: (controller) => void (upstream = controller) }))
  const read = async () => Buffer.concat((await source.read()).value ?? []).toString()
  /** So much, in however many reads. */
  const readAll = async (length: number) => {
    let text = ''
    while (text.length < length) text += await read()
    return text
  }
  return { source, read, readAll, say: (text: string) => upstream.enqueue(new TextEncoder().encode(text)), end: () => upstream.close(), fail: () => upstream.error(new Error('reset')) }
}

function enough(length: number) {
  let beginning = ''
  return (chunk: Uint8Array) => {
    beginning += Buffer.from(chunk).toString()
    return beginning.length < length ? undefined : beginning
  }
}

describe('the beginning of an answer', () => {
  test('is judged as it grows, and read again with what follows', async () => {
    const { source, say, end, readAll } = setup()
    const peeked = source.peek(enough(4), 60_000)
    say('ab')
    say('cd')
    say('ef')
    end()
    expect(await peeked).toBe('abcd')
    expect([await readAll(6), (await source.read()).done]).toEqual(['abcdef', true])
  })

  test('is given to the judge once, however many pieces it comes in', async () => {
    const { source, say, end } = setup()
    let given = 0
    const peeked = source.peek((chunk) => void (given += chunk.byteLength), 60_000)
    for (let n = 0; n < 10_000; n++) say('x')
    end()
    expect(await peeked).toBeUndefined()
    expect(given).toBe(10_000)
  })

  test('that ends before there is a verdict has none', async () => {
    const { source, say, end, read } = setup()
    const peeked = source.peek(enough(4), 60_000)
    say('ab')
    end()
    expect(await peeked).toBeUndefined()
    expect([await read(), (await source.read()).done]).toEqual(['ab', true])
  })

  test('is waited for no longer than that, and nothing of it is lost', async () => {
    const { source, say, readAll } = setup()
    expect(await source.peek(enough(1), 1)).toBeUndefined()
    say('late')
    say('r')
    expect(await readAll(5)).toBe('later')
  })

  test('that breaks off is an error at once, and again for who reads on', async () => {
    const { source, fail } = setup()
    const peeked = source.peek(enough(1), 60_000).then(() => 'fine', () => 'broken')
    fail()
    expect(await peeked).toBe('broken')
    expect(await Promise.resolve(source.read()).then(() => 'fine', () => 'broken')).toBe('broken')
  })
})
