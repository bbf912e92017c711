// Upstreams and requests to them where no network is needed: what is sent, and what is made of an answer.
import * as v from 'valibot'
import { scanObject, type MarkedObject } from '../../src/json/scan.ts'
import { upstreamSchema } from '../../src/upstream/config.ts'
import { createUpstreams } from '../../src/upstream/create-upstreams.ts'
import type { UpstreamDeps } from '../../src/upstream/deps.ts'
import type { Surface, Upstream, UpstreamRequest } from '../../src/upstream/upstream.ts'

/** Throws for what is no JSON object. */
export function jsonObject(document: object | string): MarkedObject {
  const bytes = new TextEncoder().encode(typeof document === 'string' ? document : JSON.stringify(document))
  const scan = scanObject(bytes)
  if (!scan.ok) throw new Error(`the test document is no JSON object: ${scan.reason}`)
  return { bytes, members: scan.members, marks: scan.marks }
}

export interface RequestOptions {
  body?: object | string
  betas?: readonly string[]
  version?: string
  model?: string
  servedModel?: string
  surface?: Surface
  stream?: boolean
}

export function upstreamRequest({ body = { messages: [] }, betas = [], version = '2023-06-01', model = 'us.anthropic.claude-opus-4-7', servedModel = 'claude-opus-4-7', surface = 'messages', stream = true }: RequestOptions = {}): UpstreamRequest {
  return {
    surface,
    body: jsonObject(body),
    modelAsked: servedModel,
    model,
    servedModel,
    stream,
    headers: new Headers({ 'anthropic-version': version, ...(betas.length > 0 && { 'anthropic-beta': betas.join(',') }) }),
    query: '',
    principal: { issuer: 'https://idp.test', sub: 'alice', email: undefined, name: undefined, groups: [], sid: 's', jti: 'j', expiresAt: 0 },
  }
}

const PROVIDERS = {
  anthropic: { auth: { api_key: 'key' } },
  bedrock: { region: 'us-east-1', auth: { aws_bearer_token: 'token' } },
  mantle: { region: 'us-east-1', auth: { aws_bearer_token: 'token' } },
  anthropicAws: { region: 'us-east-1', workspace_id: 'wrkspc_1', auth: { api_key: 'key' } },
  vertex: { region: 'global', project_id: 'acme-prod' },
  anthropicGoogleCloud: { project_id: 'acme-prod', workspace_id: 'wrkspc_1' },
  foundry: { resource: 'acme', auth: { api_key: 'key' } },
}

/** An upstream that must not call anybody; keys of `config` replace the provider's own. */
export function offlineUpstream(provider: keyof typeof PROVIDERS, config: object = {}, now: () => Date = () => new Date()): Upstream {
  const nobody = () => Promise.reject(new Error('this upstream is offline'))
  const deps = { fetch: nobody, credentialFetch: () => nobody, environment: {}, timeouts: { upstream_ttfb_ms: 1000 }, observe: () => {}, now } as unknown as UpstreamDeps
  const [upstream] = createUpstreams([v.parse(upstreamSchema, { provider, ...PROVIDERS[provider], ...config })], deps)
  if (upstream === undefined) throw new Error('no upstream was made')
  return upstream
}
