import { describe, expect, test } from 'bun:test'
import { formatCidr, matchesCidr, parseCidr, parseIp, parseNetwork, type Cidr, type Ip } from '../../src/std/cidr.ts'
import { isLoopbackHost } from '../../src/std/loopback.ts'

describe('parseIp', () => {
  // T171, T172
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['::', '::'],
    ['64:ff9b::192.0.2.1', '64:ff9b::192.0.2.1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7::'],
  ])('reads %s as %s', (text, canonical) => {
    expect(parseIp(text)?.text).toBe(canonical)
  })

  test.each([
    '', '1.2.3', '1.2.3.4.5', '256.0.0.1', '010.0.0.1', '0x7f.0.0.1', '2130706433', '127.1', '1.2.3.4 ', ' 1.2.3.4', '1.2.3.-4', '1.2.3.4e0', '1.2.3.4:80', '[::1]',
    ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::1', 'fe80::1%eth0', '::1.2.3', '::1.2.3.4:5', '1.2.3.4::', '::010.0.0.1',
  ])('refuses %j', (text) => {
    expect(parseIp(text)).toBeUndefined()
  })
})

describe('parseCidr', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['2001:db8::/32', '2001:db8::/32'],
    ['::1', '::1/128'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:10.1.2.3', '10.1.2.3/32'],
  ])('reads %s as %s', (text, canonical) => {
    expect(formatCidr(parseCidr(text) as Cidr)).toBe(canonical)
  })

  // T172
  test.each(['10.0.0.0/33', '10.0.0.1/8', '010.0.0.1', '010.0.0.0/8', '1.2.3', '10.0.0.0/08', '10.0.0.0/', '/8', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.0/8 ', '10.0.0.0/+8', '2001:db8::1/32', '2001:db8::/129', '::ffff:10.0.0.0/8'])(
    'refuses %j',
    (text) => {
      expect(parseCidr(text)).toBeUndefined()
    },
  )
})

describe('parseNetwork', () => {
  test.each([
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3/31', '10.1.2.2/31'],
    ['192.168.255.255/20', '192.168.240.0/20'],
    ['2001:db8:1:2::5/33', '2001:db8::/33'],
    ['10.1.2.3', '10.1.2.3/32'],
  ])('drops the bits of %s beyond its prefix: %s', (text, canonical) => {
    expect(formatCidr(parseNetwork(text) as Cidr)).toBe(canonical)
  })

  test('is as strict as parseCidr about everything else', () => {
    for (const text of ['10.0.0.0/33', '010.0.0.1/8', '1.2.3/8', '10.0.0.0/08', '']) expect(parseNetwork(text)).toBeUndefined()
  })
})

describe('matchesCidr', () => {
  test.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.2.3.4', true],
    ['192.168.240.0/20', '192.168.255.255', true],
    ['192.168.240.0/20', '192.169.0.0', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '203.0.113.9', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.4', false],
  ])('%s holds %s: %p', (range, address, expected) => {
    expect(matchesCidr(parseCidr(range) as Cidr, parseIp(address) as Ip)).toBe(expected)
  })
})

describe('isLoopbackHost', () => {
  test.each(['localhost', 'LOCALHOST', 'localhost.', 'app.localhost', '127.0.0.1', '127.255.0.9', '::1', '[::1]', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])('knows %s as this machine', (host) => {
    expect(isLoopbackHost(host)).toBeTrue()
  })

  test.each(['127.example.com', '127.0.0.1.example.com', 'localhost.example.com', 'notlocalhost', '128.0.0.1', '::2', '0.0.0.0', '::', ''])('does not take %j for this machine', (host) => {
    expect(isLoopbackHost(host)).toBeFalse()
  })
})
