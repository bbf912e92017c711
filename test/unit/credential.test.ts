import { describe, expect, test } from 'bun:test'
import { keepFresh } from '../../src/upstream/credential.ts'

/** A source that gives 1, 2, 3, …, each for an hour. */
function setup() {
  let nowMs = 1_800_000_000_000
  let given = 0
  const now = () => new Date(nowMs)
  const credential = keepFresh(async () => ({ value: ++given, expiresAtMs: nowMs + 3_600_000 }), { name: 'upstream x', observe: () => {}, now })
  return { credential, given: () => given, pass: (ms: number) => void (nowMs += ms) }
}

describe('a credential that the upstream refused', () => {
  test('is replaced once, however many requests were under way with it', async () => {
    const { credential, given } = setup()
    const old = await credential.get()
    for (let n = 0; n < 20; n++) {
      credential.refused(old)
      expect(await credential.get()).toBe(2)
    }
    expect(given()).toBe(2)
  })

  test('is not replaced for every request by an upstream that refuses them all', async () => {
    const { credential, given, pass } = setup()
    for (let n = 0; n < 20; n++) credential.refused(await credential.get())
    expect(given()).toBe(2)
    pass(10_000)
    credential.refused(await credential.get())
    expect(await credential.get()).toBe(3)
  })
})
