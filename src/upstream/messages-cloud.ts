// Clouds that speak the Messages API itself. What the client sends is an open list there: it goes as it is, without what
// the operator's lists or a refusal took out.
import { editObject } from '../json/edit.ts'
import { sentBetas, setBetas } from './betas.ts'
import { explainCloudError } from './cloud-errors.ts'
import type { UpstreamConfig } from './config.ts'
import { commonOf, setStaticHeaders, type UpstreamDeps } from './deps.ts'
import { refusedFields } from './fields.ts'
import { generationOf } from '../models/generation.ts'
import { createLearned, leaveOut } from './learned.ts'
import type { SignedRequest } from './aws/sigv4.ts'
import type { CredentialState, Refusal, Surface, Upstream, UpstreamRequest } from './upstream.ts'

export interface MessagesCloud {
  /** Of a surface, without the query. */
  url(surface: Surface): string
  /** Puts credential and workspace on the headers. Throws CredentialError. */
  authorize(request: SignedRequest, from: UpstreamRequest): Promise<void>
  /** Whether a credential was over and the next one will be new. */
  renewIfOver(refusal: Refusal, from: UpstreamRequest): boolean
  credential(): CredentialState | undefined
  /** What to ask for, where it is not the plain model; `without` are top-level fields that say the same. */
  variant?(request: UpstreamRequest): { readonly model: string; readonly without: readonly string[] }
  /** Headers that name a request, first one there counts. */
  readonly requestIds: readonly string[]
}

/** The hop's own: set after a signature, which must not cover what a proxy may change. */
const UNSIGNED = ['user-agent', 'accept-encoding']

export function createMessagesCloud(config: UpstreamConfig, position: number, deps: UpstreamDeps, cloud: MessagesCloud): Upstream {
  const learned = createLearned(deps.now)

  const betasOf = (request: UpstreamRequest) => sentBetas(config.provider, request, config.betas ?? {}, learned.betas(request))

  return {
    ...commonOf(config, position, deps),
    region: 'region' in config ? config.region : undefined,
    async prepare(request) {
      const { body: asked, headers: client, servedModel, modelAsked } = request
      const { model, without } = cloud.variant?.(request) ?? { model: request.model, without: [] }
      const betas = betasOf(request)
      const { drop, inside } = refusedFields(config.provider, asked, { betas, generation: generationOf(servedModel) }, learned.paths(request, betas))
      const body = editObject(asked, {
        drop: new Set([...without, ...drop]),
        replace: model === modelAsked ? {} : { model: JSON.stringify(model) },
        inside,
      })
      const headers = new Headers(client)
      for (const name of UNSIGNED) headers.delete(name)
      setBetas(headers, betas)
      setStaticHeaders(headers, config)
      const url = cloud.url(request.surface) + request.query
      await cloud.authorize({ url, headers, body }, request)
      for (const name of UNSIGNED) headers.set(name, client.get(name) ?? '')
      return { url, headers, body }
    },
    amend(refusal, request) {
      if (cloud.renewIfOver(refusal, request)) return 'its credential was over'
      return leaveOut(learned, refusal, request, betasOf(request))
    },
    explain: (refusal, request) => explainCloudError(refusal, request),
    receive(_, request) {
      learned.accepted(request, betasOf(request))
      return undefined
    },
    requestId: (headers) => cloud.requestIds.map((name) => headers.get(name)).find((id) => id !== null) ?? undefined,
    credential: () => cloud.credential(),
    leftOut: () => learned.list(),
  }
}

const PATHS: Readonly<Record<Surface, string>> = { messages: '/v1/messages', count_tokens: '/v1/messages/count_tokens' }

/** The Messages API's own paths behind a base. */
export function messagesUrl(base: string): (surface: Surface) => string {
  return (surface) => base + PATHS[surface]
}
