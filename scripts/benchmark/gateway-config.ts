// The gateway as it is measured: everything on that an organisation would have on.
import type { ScriptedUpstream } from './scripted-upstream.ts'

export interface ConfigOptions {
  readonly port: number
  readonly metricsPort: number
  readonly issuer: string
  readonly clientSecret: string
  readonly databaseUrl: string
  readonly upstream: ScriptedUpstream
  readonly provider: 'anthropic' | 'bedrock'
  readonly isAuditStored: boolean
}

export const [WRITE_KEY, CLIENT_ID] = ['write-key-of-the-bench-of-32-bytes-and-more', 'gatehouse-demo']

export function gatewayConfig({ port, metricsPort, issuer, clientSecret, databaseUrl, upstream, provider, isAuditStored }: ConfigOptions): object {
  const base_url = `http://127.0.0.1:${upstream.port}`
  return {
    listen: { host: '127.0.0.1', port, reuse_port: true, public_url: `http://127.0.0.1:${port}`, metrics: { host: '127.0.0.1', port: metricsPort } },
    oidc: { issuer, client_id: CLIENT_ID, client_secret: clientSecret, allowed_email_domains: ['example.com'] },
    session: { jwt_secret: 'a-secret-of-the-bench-that-is-long-enough' },
    store: { postgres_url: databaseUrl },
    audit: { store: isAuditStored },
    upstreams: [
      provider === 'anthropic'
        ? { provider, base_url, auth: { api_key: 'sk-upstream' } }
        : { provider, region: 'us-east-1', base_url, auth: { aws_access_key_id: 'AKIABENCHMARK', aws_secret_access_key: 'a-secret-of-the-bench' } },
    ],
    admin: { write_keys: [{ id: 'bench', key: WRITE_KEY }] },
    enforcement: { fail_closed_on_error: true },
    managed: {
      policies: [
        { match: { groups: ['platform'] }, cli: { availableModels: ['claude-opus-4-8', 'claude-sonnet-5', 'claude-haiku-4-5'] } },
        { match: { groups: ['engineering'] }, cli: { availableModels: ['claude-sonnet-5', 'claude-haiku-4-5'] } },
        { match: {}, cli: { availableModels: ['claude-haiku-4-5'] } },
      ],
    },
    rate_limits: { device_authorization: { max: 100_000_000 }, device_verify: { max: 100_000_000 } },
  }
}
