// Configurations for tests: a complete one to vary, and what stands in the environment of the examples.
import { parseConfig, type LoadedConfig } from '../../src/config/load.ts'

export type Values = Record<string, unknown>

/** Every secret has `canary` in it, so that a text can be searched for leaks. */
export const CANARIES = {
  OIDC_CLIENT_SECRET: 'canary-client-secret',
  JWT_SECRET: 'canary-jwt-secret-of-thirty-two-bytes--',
  JWT_SECRET_BEFORE: 'canary-jwt-secret-before-of-thirty-two-',
  DATABASE_URL: 'postgres://gatehouse:canary-password@db.example.com/gatehouse',
  DATABASE_PASSWORD: 'canary-p@ss:w/rd',
  ANTHROPIC_API_KEY: 'canary-api-key',
  COLLECTOR_TOKEN: 'canary-collector',
  ADMIN_KEY: 'canary-admin-key-of-thirty-two-characters',
  AWS_SECRET: 'canary-aws-secret',
}

export const OIDC: Values = { issuer: 'https://idp.example.com', client_id: 'gw', client_secret: 's', allowed_groups: ['staff'] }
export const ANTHROPIC: Values = { provider: 'anthropic', auth: { api_key: 'sk' } }

/** A complete configuration with some sections replaced. It gives no warning. */
export function complete(changes: Values = {}): Values {
  return {
    listen: { public_url: 'https://gw.example.com' },
    oidc: OIDC,
    session: { jwt_secret: 'kX9vQ2mT7wLr4ZpB8nYc3FhJ6sDg1AeU' },
    store: { postgres_url: 'postgres://db/x' },
    upstreams: [ANTHROPIC],
    managed: { policies: [{ match: {} }] },
    ...changes,
  }
}

/** `undefined` values are left out, as they are in a file. */
export function load(config: Values | string, environment: Record<string, string> = {}): LoadedConfig {
  return parseConfig(typeof config === 'string' ? config : JSON.stringify(config), 'gateway.yaml', environment)
}

/** Every line that refusing the configuration says. */
export function refusal(config: Values | string, environment: Record<string, string> = {}): string[] {
  try {
    load(config, environment)
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

/** The same without the places. */
export function problems(config: Values | string, environment: Record<string, string> = {}): string[] {
  return refusal(config, environment).map((line) => line.replace(/^gateway\.yaml:\d+:\d+ {2}/, ''))
}
