import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { anthropicError } from '../http/errors/anthropic.ts'
import { contextOf, principalOf } from '../http/request-context.ts'
import type { ModelTable, ServedModel } from '../models/resolve.ts'
import type { ModelVerdict } from '../models/model-rule.ts'
import { usableModels } from '../models/usable-models.ts'
import type { Principal } from '../principal.ts'

export interface ModelRoutesDeps {
  models: ModelTable
  judgeModel: (principal: Principal, modelId: string) => ModelVerdict
}

/** `GET /v1/models` and `/v1/models/{id}`: what the caller may use, without asking an upstream. */
export function relayRoutes({ models, judgeModel }: ModelRoutesDeps) {
  return new Elysia({ name: 'relay' })
    .get('/v1/models', ({ request }) => {
      const principal = principalOf(request)
      const data = usableModels(models, (id) => judgeModel(principal, id)).map(describeModel)
      return Response.json({ data, has_more: false, first_id: null, last_id: null })
    })
    .get('/v1/models/:id', ({ request, params }) => {
      const model = models.resolve(params.id)
      if (model !== undefined && judgeModel(principalOf(request), model.id) === undefined) return Response.json(describeModel(model))
      return anthropicError(new GatewayError('not_found', 'model not found'), contextOf(request).requestId)
    })
}

function describeModel({ id, displayName, contextWindow }: ServedModel) {
  return { type: 'model', id, display_name: displayName, ...(contextWindow === undefined ? {} : { max_input_tokens: contextWindow }) }
}
