// How a person's policy is laid over the catch-all. Pure.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type Settings = { readonly [key: string]: Json }

type Both = (name: string, base: Json, own: Json) => Json

/** A base entry of these is never lost: the lists are united. */
const UNITED = new Set(['disabledMcpjsonServers', 'deniedMcpServers', 'deniedModels', 'blockedMarketplaces'])
const UNITED_PERMISSIONS = new Set(['deny', 'ask'])
/** Maps that are merged name by name; the policy's value wins. */
const BY_KEY = new Set(['env', 'modelOverrides', 'skillOverrides'])

/** The policy's settings merged onto the catch-all's. Every other key of the policy replaces the base's. */
export function mergeSettings(base: Settings, policy: Settings): Settings {
  return overlay(base, policy, mergeKey)
}

/** The policy's settings of Claude Desktop merged onto the catch-all's: what the base keeps from people stays kept from them. */
export function mergeDesktop(base: Settings, policy: Settings): Settings {
  return overlay(base, policy, (key, old, own) => {
    if (key === 'disabledBuiltinTools') return unite(old, own)
    if (key === 'builtinToolPolicy') return mergeObjects(old, own, (_, rule, ownRule) => (rule === 'allow' ? ownRule : rule))
    return own
  })
}

function mergeKey(key: string, base: Json, value: Json): Json {
  if (UNITED.has(key)) return unite(base, value)
  if (key === 'permissions') return mergeObjects(base, value, (name, old, own) => (UNITED_PERMISSIONS.has(name) ? unite(old, own) : own))
  if (key === 'hooks') return mergeObjects(base, value, (_, old, own) => unite(old, own))
  if (BY_KEY.has(key)) return mergeObjects(base, value, (_, __, own) => own)
  return value
}

function mergeObjects(base: Json, value: Json, both: Both): Json {
  return isObject(base) && isObject(value) ? overlay(base, value, both) : value
}

/**
 * The own members of `base`, then of `value`; what both have is settled by `both`. Through a Map, because assigning to
 * an object loses a member named `__proto__`.
 */
function overlay(base: Settings, value: Settings, both: Both): Settings {
  const merged = new Map(Object.entries(base))
  for (const [name, own] of Object.entries(value)) {
    const old = merged.get(name)
    merged.set(name, old === undefined ? own : both(name, old, own))
  }
  return Object.fromEntries(merged)
}

function unite(base: Json, value: Json): Json {
  if (!Array.isArray(base) || !Array.isArray(value)) return value
  const seen = new Set(base.map((item) => JSON.stringify(item)))
  return [...base, ...value.filter((item) => !seen.has(JSON.stringify(item)))]
}

function isObject(value: Json): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
