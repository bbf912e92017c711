import * as v from 'valibot'
import { described, distinct, list, mapping, text, textMap } from '../std/fields.ts'

export const modelSchema = mapping({
  id: described(text(), 'What people ask for.'),
  label: described(v.optional(text()), 'What they see.'),
  description: described(v.optional(text()), 'A sentence about it.'),
  upstream_model: described(
    v.optional(v.pipe(textMap('mapping of upstream names to model ids'), v.check((names) => Object.values(names).every((id) => id.trim() !== ''), 'must not map to a blank id')), {}),
    'What each upstream calls it. A model of your own is served by the upstreams named here alone, a model of the catalogue by all.',
  ),
})

export const modelsSchema = v.pipe(
  list(modelSchema),
  distinct('id', (id) => `the model ${id} is defined twice`),
)

export type ModelConfig = v.InferOutput<typeof modelSchema>
