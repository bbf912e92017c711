// What a request may come to, before anything is sent: for amounts that are held against a cap. Pure.
import { sentModel } from '../models/sent-model.ts'
import { catalogModel } from '../models/spellings.ts'
import type { Served } from './served.ts'
import { NO_USAGE, type Usage } from './usage.ts'

/** As much of a request as its price depends on. */
export interface AskedFor {
  readonly bodyBytes: number
  /** `max_tokens` */
  readonly maxTokens: number | undefined
  readonly speed?: string | undefined
  readonly inferenceGeo?: string | undefined
}

/** English and code have more bytes to a token, and images far more; scripts of three bytes a letter have about as many. */
const BYTES_PER_TOKEN = 3
/** Where neither the request nor the catalogue says. */
const MOST_OUTPUT_TOKENS = 128_000

/** All of the prompt is written to the cache for an hour, which is the dearest, and the answer is as long as it may be. */
export function worstCase(served: Served, { bodyBytes, maxTokens, speed, inferenceGeo }: AskedFor): Usage {
  const most = (sentModel(served.upstreamModel) ?? catalogModel(served.model))?.maxOutput
  const output = Math.min(maxTokens ?? Infinity, most ?? (maxTokens === undefined ? MOST_OUTPUT_TOKENS : Infinity))
  return { ...NO_USAGE, cacheWrite1h: Math.ceil(bodyBytes / BYTES_PER_TOKEN), output, speed, inferenceGeo, isEstimated: true }
}
