import type { ModelVerdict } from './model-rule.ts'
import type { ModelTable, ServedModel } from './resolve.ts'

/** Of the models that are served those that a person may use, in the order of the catalogue. */
export function usableModels(models: ModelTable, judgeModel: (modelId: string) => ModelVerdict): ServedModel[] {
  return models.list().filter(({ id }) => judgeModel(id) === undefined)
}
