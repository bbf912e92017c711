import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { anthropicError } from '../http/errors/anthropic.ts'
import { contextOf, principalOf } from '../http/request-context.ts'
import type { ModelTable, ServedModel } from '../models/resolve.ts'
import type { Principal } from '../principal.ts'

export interface ModelRoutesDeps {
  models: ModelTable
  allowsModel: (principal: Principal, modelId: string) => boolean
}

/** `GET /v1/models` and `/v1/models/{id}`: what the caller may use, without asking an upstream. */
export function relayRoutes({ models, allowsModel }: ModelRoutesDeps) {
  return new Elysia({ name: 'relay' })
    .get('/v1/models', ({ request }) => {
      const principal = principalOf(request)
      const data = models.list().filter(({ id }) => allowsModel(principal, id)).map(describeModel)
      return Response.json({ data, has_more: false, first_id: null, last_id: null })
    })
    .get('/v1/models/:id', ({ request, params }) => {
      const model = models.resolve(params.id)
      if (model !== undefined && allowsModel(principalOf(request), model.id)) return Response.json(describeModel(model))
      return anthropicError(new GatewayError('not_found', 'model not found'), contextOf(request).requestId)
    })
}

function describeModel({ id, displayName, contextWindow }: ServedModel) {
  return { type: 'model', id, display_name: displayName, ...(contextWindow === undefined ? {} : { max_input_tokens: contextWindow }) }
}
