// What reports are broken out by, under which names it is asked for, and what it is filtered by. Pure data.

/** The ledger's own breakdowns. `session` is in its single requests alone, the others in its hours, too. */
export type Dimension = 'user' | 'group' | 'model' | 'upstream' | 'client' | 'session' | 'speed' | 'inference_geo' | 'service_tier'

export const DIMENSIONS: readonly Dimension[] = ['user', 'group', 'model', 'upstream', 'client', 'session', 'speed', 'inference_geo', 'service_tier']

/** What Anthropic's reports are grouped by and a gateway has none of: accepted, and null. */
export const ABSENT = ['account_id', 'api_key_id', 'workspace_id', 'context_window', 'service_account_id'] as const

/** Only rows that have one of the values are counted. An empty list is no filter. */
export type Filters = { readonly [dimension in Dimension]?: readonly string[] }

/** The parameter of each filter; `user` is a `sub`, `group` any of the person's groups at the time. */
export const FILTERS: { readonly [dimension in Dimension]: string } = {
  user: 'user_ids[]',
  group: 'groups[]',
  model: 'models[]',
  upstream: 'upstreams[]',
  client: 'clients[]',
  session: 'sessions[]',
  speed: 'speeds[]',
  inference_geo: 'inference_geos[]',
  service_tier: 'service_tiers[]',
}

/** Columns that a breakdown adds to a result, in order. */
export const COLUMNS: { readonly [dimension in Dimension]: readonly string[] } = {
  user: ['user_id', 'email'],
  group: ['group'],
  model: ['model'],
  upstream: ['upstream'],
  client: ['client'],
  session: ['session_id'],
  speed: ['speed'],
  inference_geo: ['inference_geo'],
  service_tier: ['service_tier'],
}
