import * as v from 'valibot'
import { described, text } from '../std/fields.ts'

export const modelSchema = v.strictObject({
  id: described(text(), 'What people ask for.'),
  label: described(v.optional(text()), 'What they see.'),
  description: described(v.optional(text()), 'A sentence about it.'),
  upstream_model: described(v.optional(v.record(v.string(), text(), 'must map upstream names to model ids'), {}), 'What each upstream calls it.'),
})

export type ModelConfig = v.InferOutput<typeof modelSchema>
