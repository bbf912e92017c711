// Composition root: configuration in, a listening gateway out. The program, the demonstration and the tests start here.
import { version } from '../package.json'
import { createAlerts } from './alert/alerts.ts'
import { limitsOfCounter } from './alert/limits-of-counter.ts'
import { createApp } from './app.ts'
import { storePrivileged } from './audit/store.ts'
import { createTrail, DEFAULT_RETENTION_DAYS, type Trail } from './audit/trail.ts'
import { trailMetrics } from './audit/trail-metrics.ts'
import type { GatewayConfig } from './config/schema.ts'
import type { Database } from './db/connect.ts'
import { openStore, type Store } from './db/open-store.ts'
import { createCredentialFetch } from './egress/credential-fetch.ts'
import { createGuardedFetch } from './egress/guarded-fetch.ts'
import { checkOperatorUrl } from './egress/operator-url.ts'
import { BootError } from './errors.ts'
import { createAddressRule } from './http/access-control.ts'
import { createAdminAccess, createRequireAdmin } from './http/admin-access.ts'
import { clientAddress } from './http/client-ip.ts'
import { drain } from './http/drain.ts'
import { createFold, FOLD_MS } from './http/fold.ts'
import { createHealth } from './http/health.ts'
import { listenForMetrics } from './http/metrics-listener.ts'
import { createPipeline } from './http/pipeline.ts'
import { createRequestMetrics } from './http/request-metrics.ts'
import { listen, type Listener } from './http/server.ts'
import { createExecutionMetrics } from './ledger/execution-metrics.ts'
import { createLedger, type Ledger, type LedgerOptions, type LedgerTiming } from './ledger/ledger.ts'
import { ledgerMetrics } from './ledger/ledger-metrics.ts'
import { createPageSignIn, SESSION_SECONDS } from './me/page-sign-in.ts'
import { CATALOG } from './models/catalog.ts'
import { createModelTable } from './models/resolve.ts'
import type { TimedEvent } from './observe/audit-line.ts'
import { countEvents } from './observe/event-counts.ts'
import type { Observe } from './observe/events.ts'
import { createDebug, createLogLevel, type Debug, type LogLevel } from './observe/log-level.ts'
import { single, type MetricFamily } from './observe/metrics.ts'
import { measureRuntime, type ProcessUsage } from './observe/runtime-metrics.ts'
import type { OAuthDeps } from './oauth/deps.ts'
import { startSweep } from './oauth/sweep.ts'
import type { OidcConfig } from './oidc/config.ts'
import { createRelyingParty } from './oidc/relying-party.ts'
import { policyFrom } from './policy/policy-from.ts'
import { personOf } from './policy/policy.ts'
import { createPricing } from './pricing/price.ts'
import type { Principal } from './principal.ts'
import { createQuotas } from './quota/quotas.ts'
import { createRelay, type Relay } from './relay/relay.ts'
import { upstreamMetrics } from './relay/upstream-report.ts'
import { createReportDatabases } from './report/report-database.ts'
import { createRevocations } from './session/revocations.ts'
import { createSealer } from './session/seal.ts'
import { createTokens } from './session/token.ts'
import { createAdmitSpend } from './spend/admission.ts'
import { timeAdmission } from './spend/admission-metrics.ts'
import { createBindPending } from './spend/bind-pending.ts'
import type { AdminConfig } from './spend/config.ts'
import { createKnownLimits } from './spend/known-limits.ts'
import { NO_LIMITS } from './spend/limit.ts'
import { createLimitList } from './spend/limit-list.ts'
import { startLimitSweep } from './spend/limit-sweep.ts'
import { namesGroup } from './spend/limits-of.ts'
import { createFacts, type Machine } from './status/facts.ts'
import { watchLosses } from './status/recent-losses.ts'
import { onceEach } from './std/once-each.ts'
import { startRounds } from './std/rounds.ts'
import { together } from './std/together.ts'
import { createTelemetryRelay } from './telemetry/relay.ts'
import { telemetryMetrics } from './telemetry/telemetry-metrics.ts'
import { createUpstreams } from './upstream/create-upstreams.ts'

export interface GatewayOptions {
  config: GatewayConfig
  /** The log. */
  observe: Observe
  /** How much of it is written. */
  logLevel?: LogLevel
  /** Events that the log heard before there was a database: they are stored with the others. */
  earlier?: readonly TimedEvent[]
  /** The outbound guard lets URLs of the configuration reach loopback addresses. */
  allowLoopback: boolean
  /** The forward proxy that `oidc.use_proxy: true` means. */
  proxyUrl?: string | undefined
  /** Where the platform says what it keeps the machine's credentials at. */
  environment?: Readonly<Record<string, string | undefined>>
  /** Seconds after which a client's connection is closed on which nothing moves; the listener's own choice unless given. */
  idleSeconds?: number | undefined
  now?: () => Date
  /** The monotonic clock of breakers and streams, in milliseconds. */
  nowMs?: () => number
  /** When the ledger says that this process lives, and takes another for dead. */
  ledgerTiming?: Partial<LedgerTiming>
  /** That the configuration was read from. */
  configFile?: { readonly path: string; readonly sha256: string }
  /** Where it runs. */
  machine?: Machine
  /** What the process takes of the machine now. */
  usage?: () => ProcessUsage
}

export interface Gateway {
  readonly url: string
  readonly port: number
  /** Readiness fails first, new work is refused, streams finish up to `listen.drain_seconds`, then everything is closed. */
  stop(): Promise<void>
  /** Ends at once. */
  abort(): void
}

/** What has to be closed again, last opened first. */
type CleanUp = (() => unknown)[]

/** Boots fail-closed: throws BootError with one sentence, and then nothing has been served. */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const cleanUp: CleanUp = []
  try {
    return await boot(options, cleanUp)
  } catch (error) {
    await closeAll(cleanUp)
    throw error
  }
}

async function boot(options: GatewayOptions, cleanUp: CleanUp): Promise<Gateway> {
  const { config } = options
  const events = countEvents(options.observe)
  const tell = events.observe
  refuseUnreachable(config, options.allowLoopback)
  const store = await openStore(config.store, tell)
  cleanUp.push(store.close)
  const trail = await startTrail({ ...options, observe: tell }, store.db, cleanUp)
  const fold = createFold(trail?.observe ?? tell)
  const { observe } = fold
  const turns = startRounds(FOLD_MS, async () => fold.turn(), () => {})
  cleanUp.push(fold.turn, turns.stop)
  const logLevel = options.logLevel ?? createLogLevel('info')
  logLevel.tells(observe)
  const debug = createDebug(logLevel, observe)
  const publicUrl = config.listen.public_url ?? loopbackUrl(config)
  const state = { listening: false, draining: false }
  const isShared = config.listen.reuse_port
  const parts = await assemble({ ...options, observe, tell, debug }, store, publicUrl, cleanUp)
  const health = createHealth({
    isReachable: store.db.isReachable,
    graceSeconds: config.store.readiness_grace_seconds,
    nowMs: Date.now,
    isDraining: () => state.draining,
  })
  health.start()
  cleanUp.push(health.stop)

  const runtime = measureRuntime({ version, configSha256: options.configFile?.sha256, usage: options.usage })
  cleanUp.push(runtime.stop)
  const requests = createRequestMetrics()
  const metrics = () => [
    ...runtime.families(),
    single('gatehouse_ready', 'gauge', 'Whether /readyz says so: 1 or 0.', health.isReady() ? 1 : 0),
    ...requests.families(),
    ...events.families(),
    ...store.metrics(),
    ...metricsOf(parts),
    ...(trail === undefined ? [] : trailMetrics(trail.state(), parts.nowMs())),
  ]

  const losses = watchLosses(parts)
  cleanUp.push(losses.stop)
  const reports = createReportDatabases(store.reports)
  const app = createApp({
    observe,
    public: { isReady: health.isReady, version, metrics },
    status: {
      ...{ isReady: health.isReady, pageSignIn: parts.pageSignIn, admin: config.admin, requireAdmin: parts.requireAdmin, observe },
      facts: createFacts({ ...parts, health, store, trail, losses: losses.look, logLevel, version, machine: options.machine, configFile: options.configFile }),
      ...{ db: store.db, logLevel, isStored: config.audit.store, tell, now: parts.now },
    },
    oauth: parts.oauth,
    policy: { policy: parts.policy, models: parts.models, observe, version, publicUrl, configuredUrl: config.listen.public_url, telemetry: config.telemetry, ttlSeconds: parts.ttlSeconds, now: parts.now },
    telemetry: { relay: parts.telemetry },
    relay: { models: parts.models, judgeModel: parts.judgeModel },
    explain: { config, db: store.db },
    me: { db: store.db, ledger: parts.ledger, spend: parts.spend, pageSignIn: parts.pageSignIn, blockedMessage: config.admin?.blocked_message, observe },
    spend: parts.spend && { ...parts.spend, reads: store.reports, sealer: parts.oauth.sealer },
    audit: { reports, sealer: parts.oauth.sealer, observe, isStored: config.audit.store },
    report: { reports, sealer: parts.oauth.sealer, observe, publicUrl, groupTag: config.admin?.billing_group_tag, modelName: (id) => parts.models.resolve(id)?.displayName ?? id },
  })
  const handle = createPipeline({
    limits: { maxUrlLength: config.limits.max_url_length, maxHeaderBytes: config.limits.max_request_header_bytes },
    hsts: publicUrl.startsWith('https:'),
    clientIp: (peer, headers) => clientAddress(peer, headers.get('x-forwarded-for'), config.listen.trusted_proxies),
    refuseAddress: createAddressRule(config.access_control.allow_cidrs, config.access_control.deny_cidrs),
    verify: parts.verify,
    requireAdmin: config.admin && parts.requireAdmin,
    direct: new Map([
      ['POST /v1/messages', parts.relay.messages],
      ['POST /v1/messages/count_tokens', parts.relay.countTokens],
    ]),
    router: (request) => app.handle(request),
    isDraining: () => state.draining && !isShared,
    isLeaving: () => state.draining && isShared,
    isTrailBlocking: () => trail?.isBlocking() === true,
    observe,
    debug,
    answered: requests.answered,
  })
  if (config.listen.metrics !== undefined) {
    cleanUp.push(listenForMetrics(config.listen.metrics, { collect: metrics, isReady: () => state.listening && health.isReady() }).stop)
  }
  const listener = await listen({ host: config.listen.host, port: config.listen.port, tls: config.listen.tls, reusePort: config.listen.reuse_port, handle, observe, idleSeconds: options.idleSeconds })
  state.listening = true
  observe({ op: 'info', message: `gatehouse ${version} listens on ${config.listen.host}:${listener.port} as ${publicUrl}` })
  return running({ listener, relay: parts.relay, state, cleanUp, url: publicUrl, listen: config.listen })
}

/** Everything between the listener and the store, in the order in which one needs the other. */
async function assemble({ config, observe, tell, allowLoopback, proxyUrl, environment = {}, now = () => new Date(), nowMs = () => performance.now(), ledgerTiming, debug }: GatewayOptions & { tell: Observe; debug: Debug }, { db, ledger: ledgerDb }: Store, publicUrl: string, cleanUp: CleanUp) {
  const fetch = createGuardedFetch({ allowLoopback })
  // Each waits for others: the provider, and connections to the store of its own.
  const [relyingParty, spend, ledger] = await together([
    createRelyingParty({ config: config.oidc[0] as OidcConfig, publicUrl, fetch, observe, now, ...(proxyUrl === undefined ? {} : { proxyUrl }) }),
    config.admin && startSpend(config.admin, db, { observe, tell }, cleanUp),
    startLedger({ db: ledgerDb, observe, retention: retentionOf(config), nowMs, ...(ledgerTiming && { timing: ledgerTiming }) }, cleanUp),
  ])
  const models = createModelTable({ autoInclude: config.auto_include_builtin_models, models: config.models, upstreams: config.upstreams })
  const credentialFetch = createCredentialFetch({ allowLoopback, environment })
  const upstreams = createUpstreams(config.upstreams, { fetch, credentialFetch, environment, timeouts: config.timeouts, observe, now })
  const policy = policyFrom(config)
  const telemetry = await createTelemetryRelay({ collectors: config.telemetry?.forward_to ?? [], spool: config.telemetry?.spool, fetch, observe })
  cleanUp.push(telemetry.stop)
  const policyOf = onceEach((principal: Principal) => policy.forPerson(personOf(principal)))
  const judgeModel = (principal: Principal, modelId: string) => policyOf(principal).judgeModel(modelId)

  const named = groupsInRules(config)
  const isNamed = (group: string) => named.has(group) || (spend !== undefined && namesGroup(spend.limits.current(), spend.rules, group))
  const ttlSeconds = Math.max(1, Math.round(config.session.ttl_hours * 3600))
  const tokens = createTokens({ secrets: config.session.jwt_secret, issuer: publicUrl, ttlSeconds, relevantGroups: { has: isNamed } })
  const revocations = createRevocations({ db, observe, horizonSeconds: Math.max(ttlSeconds, SESSION_SECONDS) })
  await revocations.refresh()
  revocations.start()
  cleanUp.push(revocations.stop, startSweep(db, config.session.max_hours, observe))

  const pricing = createPricing({ ...config.pricing, onUnknown: (model) => observe({ op: 'warn', message: `pricing: ${model} has no price of its own: it is counted as an unknown model; give it one in pricing.overrides` }) })
  const limitsOfPerson = spend === undefined ? () => NO_LIMITS : createKnownLimits(spend.limits.current, spend.rules)
  const spendChecks = timeAdmission(createAdmitSpend({ ledger, limitsOf: limitsOfPerson, reserves: config.enforcement.reserve, failClosed: config.enforcement.fail_closed_on_error, blockedMessage: config.admin?.blocked_message, observe, now }))
  const quotas = createQuotas(config.quotas, { db, observe, nowMs })
  await quotas.start()
  cleanUp.push(quotas.stop)

  const alerts = config.admin?.alerts && spend && createAlerts(config.admin.alerts, { db, fetch, observe, limitsOf: limitsOfCounter(spend.limits, spend.rules) })
  alerts?.start()
  cleanUp.push(() => alerts?.stop())

  const executions = createExecutionMetrics({ models: [...models.list(), ...CATALOG].map(({ id }) => id), upstreams: config.upstreams.map(({ name }) => name) })
  const counted: Pick<Ledger, 'settle'> = {
    settle(request, settled) {
      ledger.settle(request, settled)
      executions.count(settled)
    },
  }
  const relay = createRelay({ models, judgeModel, upstreams, quotas, charge: { admitSpend: spendChecks.admit, ledger: counted, pricing, nowMs }, fetch, maxRequestBytes: config.limits.max_request_bytes, observe, debug, policyIndex: (principal) => policyOf(principal).index, version, nowMs })
  cleanUp.push(relay.stop)
  const signIn = {
    publicUrl,
    rateLimits: config.rate_limits,
    formActionOrigins: config.oidc[0]?.form_action_origins ?? [],
    db,
    relyingParty,
    sealer: createSealer(config.session.jwt_secret),
    observe,
    now,
  }
  const pageSignIn = createPageSignIn({ ...signIn, revocations, nowMs })
  const oauth: OAuthDeps = {
    ...signIn,
    session: config.session,
    tokens,
    revocations,
    tell,
    debug,
    greet: async (identity, context) => spend?.bindPending(identity, context),
    finishPage: pageSignIn.finish,
  }
  const verify = async (token: string) => {
    const result = await tokens.verify(token, Math.floor(now().getTime() / 1000))
    return result.ok && revocations.isRevoked(result.value.sid) ? { ok: false as const, reason: 'revoked' } : result
  }
  const requireAdmin = createRequireAdmin(createAdminAccess(config.admin, verify), observe)
  return { relyingParty, models, judgeModel, policy, relay, ledger, spendChecks, executions, revocations, quotas, alerts, oauth, pageSignIn, verify, telemetry, spend, ttlSeconds, now, nowMs, requireAdmin }
}

/** Everything that the parts count. */
function metricsOf({ relay, ledger, spendChecks, executions, revocations, quotas, alerts, telemetry, nowMs }: Awaited<ReturnType<typeof assemble>>): MetricFamily[] {
  return [
    ...relay.metrics(),
    ...executions.families(),
    ...upstreamMetrics(relay.lanes(), nowMs(), Date.now()),
    ...ledgerMetrics(ledger.state(), nowMs()),
    ...spendChecks.families(),
    single('gatehouse_revocation_lag_seconds', 'gauge', 'Since the list of revoked sessions was last read: one revoked at another replica works that much longer.', revocations.ageMs() / 1000),
    ...quotas.metrics(),
    ...(alerts?.metrics() ?? []),
    ...telemetryMetrics(telemetry.reports()),
  ]
}

/** The stored audit trail, where there is one. It outlives everything that writes to it. */
async function startTrail({ config, observe: tell, earlier = [], now = () => new Date(), nowMs = () => performance.now() }: GatewayOptions, db: Database, cleanUp: CleanUp): Promise<Trail | undefined> {
  await storePrivileged(db, config.audit.store)
  if (!config.audit.store) return undefined
  const trail = createTrail({ db, tell, onFailure: config.audit.on_failure, retentionDays: config.admin?.audit_retention_days ?? DEFAULT_RETENTION_DAYS, now, nowMs })
  trail.start()
  cleanUp.push(trail.stop)
  earlier.forEach(trail.store)
  return trail
}

async function startLedger(options: LedgerOptions, cleanUp: CleanUp): Promise<Ledger> {
  const ledger = await createLedger(options)
  cleanUp.push(ledger.stop)
  return ledger
}

/** The limits of administrators, known to this replica from here on. */
async function startSpend(admin: AdminConfig, db: Database, { observe, tell }: { observe: Observe; tell: Observe }, cleanUp: CleanUp) {
  const limits = createLimitList({ db, observe })
  await limits.refresh()
  limits.start()
  cleanUp.push(limits.stop, startLimitSweep(db, admin.audit_retention_days, { observe, tell }))
  const rules = { groupLimitMode: admin.group_limit_mode, billingGroupTag: admin.billing_group_tag }
  return { db, limits, rules, observe, tell, bindPending: createBindPending({ db, limits, observe, tell }) }
}

interface Running {
  listener: Listener
  relay: Relay
  state: { draining: boolean }
  cleanUp: CleanUp
  url: string
  listen: GatewayConfig['listen']
}

function running({ listener, relay, state, cleanUp, url, listen: { drain_seconds: drainSeconds, reuse_port: isShared } }: Running): Gateway {
  return {
    url,
    port: listener.port,
    async stop() {
      state.draining = true
      await drain({ listener, isShared, inFlight: relay.activeRequests, endAll: relay.endAll, drainSeconds })
      await closeAll(cleanUp)
    },
    abort() {
      listener.abort()
      void closeAll(cleanUp)
    },
  }
}

async function closeAll(cleanUp: CleanUp): Promise<void> {
  for (const close of cleanUp.splice(0).reverse()) await close()
}

/** Upstreams and receivers of alerts are not called at boot: one that the outbound guard will never let a request reach is refused here. */
function refuseUnreachable({ upstreams, admin }: GatewayConfig, allowLoopback: boolean): void {
  const problemsOfUpstreams = upstreams.flatMap(({ name, base_url }) => {
    const problem = base_url && checkOperatorUrl(base_url, { allowLoopback, allowHttpPrivate: true })
    return problem ? [`upstreams: the base_url of ${name} ${problem}`] : []
  })
  const problemsOfAlerts = (admin?.alerts?.destinations ?? []).flatMap(({ url }, at) => {
    const problem = checkOperatorUrl(url.reveal(), { allowLoopback, allowHttpPrivate: false })
    return problem ? [`admin.alerts.destinations[${at}]: the url ${problem}`] : []
  })
  const problems = [...problemsOfUpstreams, ...problemsOfAlerts]
  if (problems.length > 0) throw new BootError(problems.join('\n'))
}

/** Without a public URL the host is a loopback address; people reach it as it is. */
function loopbackUrl({ listen: { host, port, tls } }: GatewayConfig): string {
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Without `admin` its defaults hold: usage is recorded all the same. */
function retentionOf({ admin }: GatewayConfig) {
  return { usageDays: admin?.usage_retention_days ?? 400, spendMonths: admin?.spend_retention_months ?? 13, identityDays: admin?.identity_retention_days ?? 90 }
}

/** Groups that the configuration names: they must not be cut from a token that grows too large. */
function groupsInRules({ managed, admin, oidc, quotas }: GatewayConfig): Set<string> {
  return new Set([
    ...(managed?.policies ?? []).flatMap(({ match }) => match.groups ?? []),
    ...(admin?.admin_groups ?? []),
    ...oidc.flatMap(({ allowed_groups }) => allowed_groups ?? []),
    ...quotas.flatMap(({ match }) => match.groups ?? []),
  ])
}
