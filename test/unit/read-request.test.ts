import { expect, test } from 'bun:test'
import { readMessagesRequest } from '../../src/relay/read-request.ts'

const read = (body: string) => readMessagesRequest(new Request('http://gateway.test/v1/messages', { method: 'POST', body }), 32 * 1024 * 1024)

test('a body with a flood of members is refused by what is wrong with it', async () => {
  const members = Array.from({ length: 1001 }, (_, at) => `"k${at}":0`).join(',')
  await expect(read(`{"model":"claude-opus-4-7",${members}}`)).rejects.toMatchObject({ kind: 'invalid_request', message: 'request body has too many members' })
  await expect(read(`{"model":"claude-opus-4-7","a":[${Array(500_000).fill('0').join(',')}]}`)).rejects.toThrow('request body has too many members')
})
