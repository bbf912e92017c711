import { describe, expect, test } from 'bun:test'
import { outboundHeaders } from '../../src/egress/request-headers.ts'

describe('outboundHeaders', () => {
  test('drops hop-by-hop and framing fields and every field that Connection names', () => {
    const outbound = outboundHeaders(
      {
        Connection: 'keep-alive, X-Hop , close, bad name',
        'X-Hop': '1',
        'Keep-Alive': 'timeout=5',
        'Proxy-Authorization': 'Basic x',
        'Proxy-Connection': 'keep-alive',
        TE: 'trailers',
        Trailer: 'x',
        'Transfer-Encoding': 'chunked',
        'Content-Length': '3',
        Upgrade: 'websocket',
        Expect: '100-continue',
        Host: 'evil.test',
        'X-Kept': 'yes',
      },
      'upstream.test:8443',
    )
    expect(Object.fromEntries(outbound)).toEqual({ host: 'upstream.test:8443', 'x-kept': 'yes' })
  })

  test('leaves the headers it was given alone', () => {
    const given = new Headers({ te: 'trailers' })
    outboundHeaders(given, 'upstream.test')
    expect(given.get('te')).toBe('trailers')
  })
})
