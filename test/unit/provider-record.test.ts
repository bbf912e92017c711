import { expect, test } from 'bun:test'
import { EgressError } from '../../src/egress/egress-error.ts'
import { recordProvider } from '../../src/oidc/provider-record.ts'
import type { ProviderFetch } from '../../src/oidc/provider-fetch.ts'

test.each<[string, ('answers' | number | 'silent')[], boolean]>([
  ['was not asked yet', [], true],
  ['answered after trouble', [503, 'answers'], true],
  ['was in trouble after an answer', ['answers', 503], false],
  ['did not answer after an answer', ['answers', 'silent'], false],
  ['answered after silence', ['silent', 'answers'], true],
  ['refused what it was asked, which is an answer', ['silent', 400], true],
])('whether a provider answers is what the last request says, also within one millisecond: it %s', async (_, ends, answers) => {
  const ending = [...ends]
  const send = (async () => {
    const next = ending.shift()
    if (next === 'silent') throw new EgressError('timeout', 'idp.example')
    return new Response('', { status: next === 'answers' ? 200 : (next as number) })
  }) as unknown as ProviderFetch
  const record = recordProvider(send, () => new Date(5))
  for (const _ of ends) await record.fetch('https://idp.example/token', {} as never).catch(() => {})
  expect(record.state().answers).toBe(answers)
})
