import { describe, expect, test } from 'bun:test'
import { cleanEnvironment, isClean } from '../../src/reexec.ts'

const REQUIRED = { BUN_CONFIG_MAX_HTTP_REQUESTS: '65535', MIMALLOC_PURGE_DELAY: '10000', MIMALLOC_PURGE_HOLES_MIN_INTERVAL: '10000', NODE_ENV: 'production' }

describe('cleanEnvironment', () => {
  test('adds what Bun reads before any of our code runs', () => {
    expect(cleanEnvironment({}).env).toEqual(REQUIRED)
  })

  test('replaces values of the environment that would lower the number of requests or leave production', () => {
    const { env, dropped } = cleanEnvironment({ BUN_CONFIG_MAX_HTTP_REQUESTS: '16', NODE_ENV: 'development' })
    expect(env).toEqual(REQUIRED)
    expect(dropped).toEqual([])
  })

  test.each([
    'BUN_OPTIONS', 'BUN_BE_BUN', 'BUN_INSPECT', 'BUN_INSPECT_PRELOAD', 'BUN_CONFIG_VERBOSE_FETCH', 'BUN_JSC_useJIT', 'BUN_ANYTHING_NEW', 'JSC_useJIT',
    'NODE_OPTIONS', 'NODE_PATH', 'NODE_CHANNEL_FD', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'all_proxy', 'no_proxy',
  ])('drops %s and names it', (name) => {
    const { env, dropped } = cleanEnvironment({ [name]: 'x', PATH: '/bin' })
    expect(env).toMatchObject({ PATH: '/bin', BUN_CONFIG_MAX_HTTP_REQUESTS: '65535', NODE_ENV: 'production' })
    expect(env).not.toHaveProperty(name)
    expect(dropped).toEqual([name])
  })

  test.each(['PATH', 'DATABASE_URL', 'GATEHOUSE_LOG_LEVEL', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'AWS_PROFILE', 'TZ'])('keeps %s', (name) => {
    expect(cleanEnvironment({ [name]: 'value' }).env[name]).toBe('value')
  })

  test('keeps the proxy where only what asks for it looks', () => {
    expect(cleanEnvironment({ HTTPS_PROXY: 'http://proxy:3128' }).env.GATEHOUSE_HTTPS_PROXY).toBe('http://proxy:3128')
    expect(cleanEnvironment({ HTTPS_PROXY: 'http://a:1', GATEHOUSE_HTTPS_PROXY: 'http://b:2' }).env.GATEHOUSE_HTTPS_PROXY).toBe('http://b:2')
    expect(cleanEnvironment({ HTTPS_PROXY: '' }).env).not.toHaveProperty('GATEHOUSE_HTTPS_PROXY')
  })

  test('refuses to start with certificate verification switched off', () => {
    expect(() => cleanEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toThrow('NODE_TLS_REJECT_UNAUTHORIZED=0 would accept any certificate')
    expect(cleanEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }).dropped).toEqual(['NODE_TLS_REJECT_UNAUTHORIZED'])
  })
})

describe('isClean', () => {
  test('holds for what cleanEnvironment returns, whatever it was given', () => {
    const { env } = cleanEnvironment({ BUN_OPTIONS: '--preload x', HTTPS_PROXY: 'http://proxy', HOME: '/root' })
    expect(isClean(env)).toBe(true)
    expect(isClean({ ...env, BUN_OPTIONS: '' })).toBe(false)
    expect(isClean({ ...env, NODE_ENV: 'test' })).toBe(false)
  })
})
