import { describe, expect, test } from 'bun:test'
import { createAddressBook } from '../../src/egress/address-book.ts'

/** A resolver that gives its answers one after the other, the last one for ever, and counts the questions. */
function setup(answers: (string[] | Error)[], allowLoopback = false) {
  const clock = { ms: 0 }
  const asked: string[] = []
  const book = createAddressBook({
    allowLoopback,
    nowMs: () => clock.ms,
    resolve: async (host) => {
      const answer = answers[Math.min(asked.length, answers.length - 1)] as string[] | Error
      asked.push(host)
      if (answer instanceof Error) throw answer
      return answer
    },
  })
  return { book, clock, asked }
}

describe('the address book', () => {
  test('asks once in five seconds', async () => {
    const { book, clock, asked } = setup([['192.0.2.1'], ['192.0.2.2']])
    expect(await book.addressesOf('a.test')).toEqual(['192.0.2.1'])
    clock.ms = 4_999
    expect(await book.addressesOf('a.test')).toEqual(['192.0.2.1'])
    clock.ms = 5_000
    expect(await book.addressesOf('a.test')).toEqual(['192.0.2.2'])
    expect(asked).toEqual(['a.test', 'a.test'])
  })

  test('asks once for requests that come together', async () => {
    const { book, asked } = setup([['192.0.2.1']])
    await Promise.all([book.addressesOf('a.test'), book.addressesOf('a.test'), book.addressesOf('a.test')])
    expect(asked).toHaveLength(1)
  })

  // T159
  test('refuses a name that turns to a forbidden address, and does not fall back to its earlier one', async () => {
    const { book, clock } = setup([['192.0.2.1'], ['169.254.169.254'], ['192.0.2.1', '0.0.0.0'], new Error('EAI_AGAIN')])
    await book.addressesOf('rebinding.test')
    clock.ms = 5_000
    await expect(book.addressesOf('rebinding.test')).rejects.toMatchObject({ code: 'blocked_address' })
    await expect(book.addressesOf('rebinding.test')).rejects.toMatchObject({ code: 'blocked_address' })
    await expect(book.addressesOf('rebinding.test')).rejects.toMatchObject({ code: 'dns' })
  })

  test('refuses a name with one good and one forbidden address', async () => {
    const { book } = setup([['192.0.2.1', '127.0.0.1']])
    await expect(book.addressesOf('both.test')).rejects.toMatchObject({ code: 'blocked_address' })
  })

  test('refuses loopback unless it is allowed, and metadata even then', async () => {
    await expect(setup([['127.0.0.1']]).book.addressesOf('a.test')).rejects.toMatchObject({ code: 'blocked_address' })
    expect(await setup([['::1']], true).book.addressesOf('a.test')).toEqual(['::1'])
    await expect(setup([['fd00:ec2::254']], true).book.addressesOf('a.test')).rejects.toMatchObject({ code: 'blocked_address' })
  })

  test('refuses a metadata name whatever it resolves to', async () => {
    await expect(setup([['192.0.2.1']]).book.addressesOf('metadata.google.internal.')).rejects.toMatchObject({ code: 'blocked_address' })
  })

  test('judges an address without asking a resolver', async () => {
    const { book, asked } = setup([['192.0.2.1']])
    expect(await book.addressesOf('10.0.0.1')).toEqual(['10.0.0.1'])
    await expect(book.addressesOf('169.254.169.254')).rejects.toMatchObject({ code: 'blocked_address' })
    expect(asked).toEqual([])
  })

  test('keeps judged addresses for five minutes while the resolver is silent', async () => {
    const { book, clock } = setup([['192.0.2.1'], new Error('EAI_AGAIN')])
    await book.addressesOf('a.test')
    clock.ms = 299_999
    expect(await book.addressesOf('a.test')).toEqual(['192.0.2.1'])
    clock.ms = 310_000
    await expect(book.addressesOf('a.test')).rejects.toMatchObject({ code: 'dns' })
  })

  test('answers dns for an unknown name and for a name without addresses', async () => {
    await expect(setup([new Error('ENOTFOUND')]).book.addressesOf('a.test')).rejects.toMatchObject({ code: 'dns', host: 'a.test' })
    await expect(setup([[]]).book.addressesOf('a.test')).rejects.toMatchObject({ code: 'dns' })
  })

  test('puts IPv4 first, and stays with the address that worked', async () => {
    const { book, clock } = setup([['2001:db8::1', '192.0.2.1', '192.0.2.2']])
    expect(await book.addressesOf('a.test')).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1'])
    book.prefer('a.test', '192.0.2.2')
    expect((await book.addressesOf('a.test'))[0]).toBe('192.0.2.2')
    clock.ms = 6_000
    expect((await book.addressesOf('a.test'))[0]).toBe('192.0.2.2')
  })
})
