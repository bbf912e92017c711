import { BootError } from '../errors.ts'
import { createAnthropic, type UpstreamDeps } from './anthropic.ts'
import type { UpstreamConfig } from './config.ts'
import type { Upstream } from './upstream.ts'

/** The upstreams in the order they are tried. Throws BootError when none of them can be used. */
export function createUpstreams(configs: readonly UpstreamConfig[], deps: UpstreamDeps): Upstream[] {
  const upstreams = configs.flatMap((config) => (config.provider === 'anthropic' ? [createAnthropic(config, deps)] : []))
  if (upstreams.length === 0) throw new BootError('upstreams: none of them is of a provider that this version speaks (anthropic)')
  return upstreams
}
