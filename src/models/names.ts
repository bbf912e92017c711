import type { ModelConfig } from './config.ts'
import { canonicalModelId } from './spellings.ts'

/** What models are called, for rules that are written in any of their names. */
export function modelNames(models: readonly ModelConfig[]) {
  const mapped = new Map(models.map(({ id, upstream_model }) => [id, Object.values(upstream_model)]))
  return {
    canonicalId: canonicalModelId,
    /** Of a model of the operator's own; empty for others. */
    mappedIds: (modelId: string): readonly string[] => mapped.get(modelId) ?? [],
  }
}
