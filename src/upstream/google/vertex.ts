// Claude on Google's Vertex AI, managed by Google: the Messages API's body and events behind Google's paths.
import { editObject } from '../../json/edit.ts'
import { sentBetas, setBetas } from '../betas.ts'
import { explainCloudError } from '../cloud-errors.ts'
import type { UpstreamConfig } from '../config.ts'
import { commonOf, credentialDeps, setStaticHeaders, type UpstreamDeps } from '../deps.ts'
import { refusedFields } from '../fields.ts'
import { generationOf } from '../../models/generation.ts'
import { createGoogleCredential, setGoogleToken, type GoogleToken } from './credentials.ts'
import { createLearned, leaveOut } from '../learned.ts'
import type { PreparedRequest, Upstream, UpstreamRequest } from '../upstream.ts'

type VertexConfig = Extract<UpstreamConfig, { provider: 'vertex' }>

const VERSION = 'vertex-2023-10-16'
const NEW_VERSION = '2026-10-21'

export function createVertex(config: VertexConfig, position: number, deps: UpstreamDeps): Upstream {
  const credential = createGoogleCredential(config.auth, credentialDeps(config, deps))
  const models = `${config.base_url ?? `https://${vertexHost(config.region)}/v1`}/projects/${config.project_id}/locations/${config.region}/publishers/anthropic/models`
  const learned = createLearned(deps.now)
  const used = new WeakMap<UpstreamRequest, GoogleToken>()

  /** Counting refuses betas that the models take, and each refusal is a retry of the client. */
  const betasOf = (request: UpstreamRequest) => (request.surface === 'count_tokens' ? [] : sentBetas('vertex', request, config.betas ?? {}, learned.betas(request)))

  return {
    ...commonOf(config, position, deps),
    region: config.region,
    async prepare(request): Promise<PreparedRequest> {
      const betas = betasOf(request)
      const headers = new Headers({ 'content-type': 'application/json' })
      for (const name of ['accept', 'user-agent', 'accept-encoding']) {
        const value = request.headers.get(name)
        if (value !== null) headers.set(name, value)
      }
      setBetas(headers, betas)
      setStaticHeaders(headers, config)
      const token = await credential.get()
      used.set(request, token)
      setGoogleToken(headers, token)
      return { url: `${models}/${methodOf(request)}`, headers, body: vertexBody(request, betas, learned.paths(request, betas)) }
    },
    amend(refusal, request) {
      const token = used.get(request)
      if (refusal.status === 401 && token !== undefined) {
        credential.refused(token)
        return 'its credential was over'
      }
      return leaveOut(learned, refusal, request, betasOf(request))
    },
    explain: (refusal, request) => explainCloudError(refusal, request),
    receive(_, request) {
      learned.accepted(request, betasOf(request))
      return undefined
    },
    requestId: (headers) => headers.get('request-id') ?? headers.get('x-request-id') ?? undefined,
    credential: () => credential.state(),
    leftOut: () => learned.list(),
  }
}

/** Regional, multi-region and global endpoints. */
export function vertexHost(region: string): string {
  if (region === 'global') return 'aiplatform.googleapis.com'
  return region === 'us' || region === 'eu' ? `aiplatform.${region}.rep.googleapis.com` : `${region}-aiplatform.googleapis.com`
}

/** The model is a path segment and `@` stays in it; a `;` would cut the method off. */
function methodOf({ surface, model, stream }: UpstreamRequest): string {
  if (surface === 'count_tokens') return 'count-tokens:rawPredict'
  return `${encodeURIComponent(model).replaceAll('%40', '@')}:${stream ? 'streamRawPredict' : 'rawPredict'}`
}

function vertexBody({ surface, body, headers, model, servedModel }: UpstreamRequest, betas: readonly string[], learned: Parameters<typeof refusedFields>[3]): Uint8Array {
  const version = headers.get('anthropic-version') === NEW_VERSION ? NEW_VERSION : VERSION
  const isCount = surface === 'count_tokens'
  const { drop, inside } = refusedFields('vertex', body, { betas, generation: generationOf(servedModel) }, learned)
  return editObject(body, {
    drop: new Set([...(isCount ? [] : ['model']), 'anthropic_version', 'anthropic_beta', ...drop]),
    replace: isCount ? { model: JSON.stringify(model.replace(/@(?:default|latest)$/, '')) } : {},
    add: { anthropic_version: JSON.stringify(version) },
    inside,
  })
}
