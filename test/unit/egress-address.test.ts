import { describe, expect, test } from 'bun:test'
import { judgeAddress } from '../../src/egress/address.ts'
import { checkOperatorUrl } from '../../src/egress/operator-url.ts'

describe('judgeAddress', () => {
  // T158
  test.each([
    ['the metadata service', '169.254.169.254'],
    ['ECS task credentials', '169.254.170.2'],
    ['EKS pod identity over IPv6', 'fd00:ec2::23'],
    ['AWS metadata over IPv6', 'fd00:ec2::254'],
    ['Google metadata over IPv6', 'fd20:ce::254'],
    ['Alibaba metadata', '100.100.100.200'],
    ['Azure wire server', '168.63.129.16'],
    ['link-local IPv6', 'fe80::1'],
    ['the end of link-local IPv6', 'febf::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['unspecified IPv6', '::'],
    ['multicast', '224.0.0.1'],
    ['multicast IPv6', 'ff02::1'],
    ['broadcast', '255.255.255.255'],
    ['mapped metadata', '::ffff:169.254.169.254'],
    ['mapped metadata in groups', '::ffff:a9fe:a9fe'],
    ['mapped metadata written out', '0:0:0:0:0:ffff:a9fe:a9fe'],
    ['translated metadata', '::ffff:0:169.254.169.254'],
    ['compatible metadata', '::169.254.169.254'],
    ['NAT64 metadata', '64:ff9b::a9fe:a9fe'],
    ['local NAT64 metadata', '64:ff9b:1::a9fe:a9fe'],
    ['6to4 metadata', '2002:a9fe:a9fe::1'],
    ['mapped unspecified', '::ffff:0.0.0.0'],
    ['octal', '0251.0376.0251.0376'],
    ['hexadecimal', '0xa9fea9fe'],
    ['a short form', '127.1'],
    ['a number', '2130706433'],
    ['a name', 'localhost'],
    ['nothing', ''],
  ])('blocks %s', (_, address) => {
    expect(judgeAddress(address)).toBe('blocked')
  })

  test.each([
    ['127.0.0.1'],
    ['127.255.255.254'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:7f00:1'],
    ['64:ff9b::7f00:1'],
    ['2002:7f00:1::'],
    ['::127.0.0.1'],
  ])('sees loopback in %s', (address) => {
    expect(judgeAddress(address)).toBe('loopback')
  })

  test.each([
    ['93.184.216.34'],
    ['10.0.0.1'],
    ['172.16.0.1'],
    ['192.168.1.1'],
    ['100.64.0.1'],
    ['100.100.100.201'],
    ['169.253.255.255'],
    ['2606:4700::1'],
    ['fd12:3456::1'],
    ['fd00:ec3::254'],
    ['::ffff:10.0.0.1'],
    ['64:ff9b::5db8:d822'],
    ['fec0::1'],
  ])('allows %s', (address) => {
    expect(judgeAddress(address)).toBe('allowed')
  })
})

describe('checkOperatorUrl', () => {
  const strict = { allowLoopback: false, allowHttpPrivate: false }

  test.each([
    ['metadata as a number', 'https://2852039166/'],
    ['metadata in hexadecimal', 'https://0xA9FEA9FE/'],
    ['metadata in octal', 'https://0251.0376.0251.0376/'],
    ['metadata mapped into IPv6', 'https://[::ffff:169.254.169.254]/'],
    ['metadata by name', 'https://metadata.google.internal/'],
    ['metadata by name with a final dot', 'https://Metadata.Google.Internal./'],
    ['loopback', 'https://127.0.0.1/'],
    ['loopback in short form', 'https://127.1/'],
    ['loopback in full-width digits', 'https://１２７.0.0.1/'],
    ['localhost', 'https://localhost/'],
    ['localhost with a final dot', 'https://localhost./'],
    ['a name under localhost', 'https://idp.localhost/'],
    ['a zone id', 'https://[fe80::1%25eth0]/'],
    ['http', 'http://idp.example/'],
    ['http to a private address', 'http://10.0.0.1/'],
    ['a file', 'file:///etc/passwd'],
    ['javascript', 'javascript:alert(1)'],
    ['a password', 'https://user:hunter2@idp.example/'],
    ['a fragment', 'https://evil.test#.amazonaws.com/'],
    ['no URL', 'idp.example'],
    ['nothing', ''],
  ])('refuses %s', (_, url) => {
    expect(checkOperatorUrl(url, strict)).toBeString()
    expect(checkOperatorUrl(url, strict)).not.toContain('hunter2')
  })

  test.each([
    ['a public name', 'https://idp.example/realm', strict],
    ['a private address by https', 'https://10.0.0.1:8443/', strict],
    ['loopback when it is allowed', 'http://127.0.0.1:8080/', { ...strict, allowLoopback: true }],
    ['http to a private address when that is allowed', 'http://10.1.2.3/', { ...strict, allowHttpPrivate: true }],
    ['http to a private IPv6 address when that is allowed', 'http://[fd12::1]/', { ...strict, allowHttpPrivate: true }],
    ['http to a name when private http is allowed', 'http://collector.svc/', { ...strict, allowHttpPrivate: true }],
  ])('accepts %s', (_, url, rules) => {
    expect(checkOperatorUrl(url, rules)).toBeUndefined()
  })

  test('refuses http to a public address even where private http is allowed', () => {
    expect(checkOperatorUrl('http://93.184.216.34/', { allowLoopback: true, allowHttpPrivate: true })).toBeString()
  })

  test('refuses metadata even where loopback is allowed', () => {
    expect(checkOperatorUrl('http://169.254.169.254/', { allowLoopback: true, allowHttpPrivate: true })).toBeString()
  })
})
