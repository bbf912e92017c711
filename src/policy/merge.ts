// How a person's policy is laid over the catch-all. Pure.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Settings = { readonly [key: string]: Json }

/** A base entry of these is never lost: the lists are united. */
const UNITED = new Set(['disabledMcpjsonServers', 'deniedMcpServers', 'deniedModels', 'blockedMarketplaces'])
const UNITED_PERMISSIONS = new Set(['deny', 'ask'])
/** Maps that are merged name by name; the policy's value wins. */
const BY_KEY = new Set(['env', 'modelOverrides', 'skillOverrides'])

/** The policy's settings merged onto the catch-all's. Every other key of the policy replaces the base's. */
export function mergeSettings(base: Settings, policy: Settings): Settings {
  const merged: Record<string, Json> = { ...base }
  for (const [key, value] of Object.entries(policy)) merged[key] = mergeKey(key, base[key], value)
  return merged
}

function mergeKey(key: string, base: Json | undefined, value: Json): Json {
  if (base === undefined) return value
  if (UNITED.has(key)) return unite(base, value)
  if (key === 'permissions') return mergeObjects(base, value, (name, old, own) => (UNITED_PERMISSIONS.has(name) ? unite(old, own) : own))
  if (key === 'hooks') return mergeObjects(base, value, (_, old, own) => unite(old, own))
  if (BY_KEY.has(key)) return mergeObjects(base, value, (_, __, own) => own)
  return value
}

function mergeObjects(base: Json, value: Json, both: (name: string, base: Json, own: Json) => Json): Json {
  if (!isObject(base) || !isObject(value)) return value
  const merged: Record<string, Json> = { ...base }
  for (const [name, own] of Object.entries(value)) {
    const old = base[name]
    merged[name] = old === undefined ? own : both(name, old, own)
  }
  return merged
}

function unite(base: Json, value: Json): Json {
  if (!Array.isArray(base) || !Array.isArray(value)) return value
  const seen = new Set(base.map((item) => JSON.stringify(item)))
  return [...base, ...value.filter((item) => !seen.has(JSON.stringify(item)))]
}

function isObject(value: Json): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
