import { describe, expect, test } from 'bun:test'
import { createAddressRule } from '../../src/http/access-control.ts'
import { clientAddress } from '../../src/http/client-ip.ts'
import { parseCidr, type Cidr } from '../../src/std/cidr.ts'

const cidrs = (...texts: string[]) => texts.map((text) => parseCidr(text) as Cidr)
const PROXIES = cidrs('10.0.0.0/8', '2001:db8:ffff::/48')

describe('clientAddress', () => {
  // T169, T170, T171
  test.each([
    ['the peer, when nobody is trusted', '203.0.113.9', '127.0.0.1', [], '203.0.113.9'],
    ['the peer, when it is not a trusted proxy', '203.0.113.9', '127.0.0.1', PROXIES, '203.0.113.9'],
    ['what the proxy saw', '10.0.0.1', '198.51.100.7', PROXIES, '198.51.100.7'],
    ['the right-most untrusted hop, not what a client wrote before it', '10.0.0.1', '127.0.0.1, 198.51.100.7, 10.0.0.2', PROXIES, '198.51.100.7'],
    ['an address with a port', '10.0.0.1', '198.51.100.7:5678', PROXIES, '198.51.100.7'],
    ['a bracketed address with a port', '10.0.0.1', '[2001:db8::7]:443', PROXIES, '2001:db8::7'],
    ['an IPv4 peer on an IPv6 listener', '::ffff:10.0.0.1', '198.51.100.7', PROXIES, '198.51.100.7'],
    ['the proxy, when the header is garbage', '10.0.0.1', 'unknown', PROXIES, '10.0.0.1'],
    ['the nearest good hop before garbage', '10.0.0.1', 'x, 10.0.0.5', PROXIES, '10.0.0.5'],
    ['the proxy, when a number is hexadecimal', '10.0.0.1', '0x7f.0.0.1', PROXIES, '10.0.0.1'],
    ['the proxy, when there is no header', '10.0.0.1', null, PROXIES, '10.0.0.1'],
  ])('is %s', (_, peer, header, trusted, expected) => {
    expect(clientAddress(peer, header, trusted)).toBe(expected)
  })
})

describe('the address rule', () => {
  const rule = createAddressRule(cidrs('10.0.0.0/8', '2001:db8::/32'), cidrs('10.1.0.0/16'))

  test.each([
    ['10.2.0.1', false, undefined],
    ['::ffff:10.2.0.1', false, undefined],
    ['10.1.0.1', false, 'ip_denied'],
    ['::ffff:0a01:0001', false, 'ip_denied'],
    ['10.1.0.1', true, 'ip_denied'],
    ['192.0.2.1', false, 'ip_not_allowlisted'],
    ['192.0.2.1', true, undefined],
    ['2001:DB8::1', false, undefined],
    ['2001:db9::1', false, 'ip_not_allowlisted'],
    ['not an address', false, 'address_unknown'],
  ])('judges %s (exempt: %p) as %p', (address, exempt, reason) => {
    expect(rule(address, exempt) as unknown).toBe(reason)
  })

  test('does not let 0.0.0.0/0 stand for IPv6', () => {
    expect(createAddressRule(cidrs('0.0.0.0/0'), [])('2001:db8::1', false)).toBe('ip_not_allowlisted')
  })

  test('lets everybody in when nothing is listed', () => {
    expect(createAddressRule([], [])('anything', false)).toBeUndefined()
  })
})
