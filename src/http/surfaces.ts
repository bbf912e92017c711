// Every path the gateway answers without a bearer, in one list. What is not here needs one: a new route is closed
// until somebody writes it down.

export interface PublicPath {
  readonly path: string
  readonly methods: readonly string[]
  /** Health is asked by load balancers that no allow-list knows. */
  readonly exemptFromAllowList?: boolean
}

export const PUBLIC_PATHS: readonly PublicPath[] = [
  { path: '/', methods: ['GET', 'HEAD'] },
  { path: '/healthz', methods: ['GET', 'HEAD'], exemptFromAllowList: true },
  // Where load balancers look unless they are told another place.
  { path: '/health', methods: ['GET', 'HEAD'], exemptFromAllowList: true },
  { path: '/readyz', methods: ['GET', 'HEAD'], exemptFromAllowList: true },
  { path: '/protocol', methods: ['GET', 'HEAD'] },
  { path: '/api/hello', methods: ['GET', 'HEAD'] },
  { path: '/.well-known/oauth-authorization-server', methods: ['GET', 'HEAD', 'POST'] },
  { path: '/oauth/device_authorization', methods: ['POST'] },
  { path: '/oauth/token', methods: ['POST'] },
  { path: '/oauth/revoke', methods: ['POST'] },
  { path: '/oauth/callback', methods: ['GET', 'HEAD'] },
  { path: '/device', methods: ['GET', 'HEAD', 'POST'] },
  { path: '/device/deny', methods: ['POST'] },
  // A person's page is opened by a browser, which has no bearer: it checks a cookie of its own, which opens nothing else.
  { path: '/me', methods: ['GET', 'HEAD'] },
  { path: '/me/sign-in', methods: ['POST'] },
  { path: '/me/sign-out', methods: ['POST'] },
  // So is the administrators' page, which takes an administrator's key or bearer besides.
  { path: '/status', methods: ['GET', 'HEAD'] },
  { path: '/status/sign-in', methods: ['POST'] },
  { path: '/status/sign-out', methods: ['POST'] },
]

/** These take an administrator's key, or the bearer of one, instead of anybody's bearer. */
export function isAdminPath(path: string): boolean {
  return path.startsWith('/v1/organizations/') || path === '/metrics'
}

/** What metrics call the paths; one that ends in a slash stands for all below it, the root alone for itself. */
const SURFACES: readonly (readonly [surface: string, ...paths: string[]])[] = [
  ['messages', '/v1/messages'],
  ['count_tokens', '/v1/messages/count_tokens'],
  ['models', '/v1/models', '/v1/models/'],
  ['telemetry', '/v1/metrics', '/v1/logs', '/v1/traces'],
  ['settings', '/managed/settings', '/user/bootstrap'],
  ['sign_in', '/oauth/', '/device', '/device/', '/.well-known/'],
  ['me', '/me', '/me/', '/api/oauth/usage'],
  ['admin', '/v1/organizations/', '/status', '/status/'],
  ['health', '/healthz', '/health', '/readyz'],
  ['metrics', '/metrics'],
  ['page', '/', '/protocol', '/api/hello'],
]

const exactly = new Map(SURFACES.flatMap(([surface, ...paths]) => paths.map((path) => [path, surface] as const)))
const below = SURFACES.flatMap(([surface, ...paths]) => paths.flatMap((path) => (path.length > 1 && path.endsWith('/') ? [[path, surface] as const] : [])))

/** The surface of a path, one of few; `other` for a path that is none of ours. */
export function surfaceOf(path: string): string {
  return exactly.get(path) ?? below.find(([start]) => path.startsWith(start))?.[1] ?? 'other'
}

const SEGMENTS_SHOWN = 3

/** A path for the log: of those that are ours as much as names what was asked, without what a client puts behind it. */
export function shownPath(path: string): string {
  if (surfaceOf(path) === 'other') return '(no path of ours)'
  const segments = path.split('/')
  return segments.length <= SEGMENTS_SHOWN + 1 ? path : `${segments.slice(0, SEGMENTS_SHOWN + 1).join('/')}/…`
}

const byPath = new Map(PUBLIC_PATHS.map((entry) => [entry.path, entry]))

/** The public entry of exactly this path, or undefined when the path needs a bearer. */
export function publicPath(path: string): PublicPath | undefined {
  return byPath.get(path)
}
