// Everything that the bench needs beside what it measures: a database, a provider, upstreams, people who have signed in.
import { mkdtemp, rm } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startIdentityProvider } from '../../src/demo/identity-provider.ts'
import { startPostgres, type PostgresServer } from '../../test/support/postgres-server.ts'
import { freePort } from '../../test/support/free-port.ts'
import { SERVER_CORE, startBare, startGateway, startNginx, type Contender } from './contenders.ts'
import { familyOf } from './cpu.ts'
import { CLIENT_ID, gatewayConfig, WRITE_KEY } from './gateway-config.ts'
import { startScriptedUpstream, type ScriptedUpstream } from './scripted-upstream.ts'
import { signIn } from './sign-in.ts'

/** One gateway with its own database, and what it is held against. */
export interface Bench {
  readonly upstream: ScriptedUpstream
  readonly gateway: Contender
  /** In the order in which their turns come. */
  readonly contenders: readonly Contender[]
  readonly token: string
  /** The database server's first process. */
  readonly postmaster: number
  readonly url: string
  /** Of the identity provider. */
  readonly issuer: string
  readonly databaseUrl: string
  metrics(): Promise<string>
  /** Stops the gateway and starts it again on its database. */
  restart(): Promise<Contender>
  /** Another one on the same port. */
  anotherInstance(): Promise<Contender>
  /** Lets everything use every core meanwhile. */
  onAllCores(work: () => Promise<void>): Promise<void>
  stop(): Promise<void>
}

const [LOAD_CORE, ALL_CORES] = ['1', `0-${cpus().length - 1}`]
const ORGANIZATION_CENTS = '100000000000'
const PERSON_CENTS = '1000000000'

export async function startBench({ provider, isAuditStored = true }: { provider: 'anthropic' | 'bedrock'; isAuditStored?: boolean }): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-'))
  const database = await startPostgres({ isDurable: true })
  const postmaster = await pinned(database)
  const upstream = startScriptedUpstream()
  const [port, metricsPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const clientSecret = crypto.randomUUID()
  const idp = await startIdentityProvider({ clientId: CLIENT_ID, clientSecret, redirectUri: `${url}/oauth/callback` })
  const settings = { port, metricsPort, issuer: idp.issuer, clientSecret, databaseUrl: database.url, upstream, provider, isAuditStored }
  const config = gatewayConfig(settings)
  let gateway = await startGateway(config, port, directory)
  await setLimits(url)
  const token = await signIn(url, 'alice')
  const others = provider === 'anthropic' ? [await startNginx(upstream.port), await startBare('bare-relay.ts', upstream.port)] : [await startBare('bare-bedrock-relay.ts', upstream.port)]
  const beside = others.filter((one) => one !== undefined)
  return {
    upstream,
    get gateway() {
      return gateway
    },
    get contenders() {
      return [gateway, ...beside]
    },
    token,
    postmaster,
    url,
    issuer: idp.issuer,
    databaseUrl: database.url,
    metrics: async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text(),
    async restart() {
      await gateway.stop()
      gateway = await startGateway(config, port, directory)
      return gateway
    },
    async anotherInstance() {
      const directory = await mkdtemp(join(tmpdir(), 'gatehouse-bench-another-'))
      const metricsPort = await freePort()
      const another = await startGateway(gatewayConfig({ ...settings, metricsPort }), port, directory, { isPinned: false, readyPort: metricsPort })
      return { ...another, stop: () => another.stop().then(() => rm(directory, { recursive: true, force: true })) }
    },
    async onAllCores(work) {
      const pids = [process.pid, ...familyOf(gateway.pid)]
      await pin(ALL_CORES, postmaster, ...pids)
      await work()
      await pin(LOAD_CORE, process.pid, postmaster)
      await pin(SERVER_CORE, ...familyOf(gateway.pid))
    },
    async stop() {
      for (const one of [gateway, ...beside]) await one.stop()
      upstream.stop()
      await idp.stop()
      await database.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Keeps the database off the core of what is measured. Its later processes inherit that. */
async function pinned({ url }: PostgresServer): Promise<number> {
  const sql = postgres(url, { max: 1 })
  const [row] = await sql`select current_setting('data_directory') as directory`
  await sql.end()
  const pid = Number(readFileSync(join(row?.directory as string, 'postmaster.pid'), 'utf8').split('\n')[0])
  await pin(LOAD_CORE, pid)
  return pid
}

/** Each process with its threads, and the children that it has now. */
async function pin(cores: string, ...pids: readonly number[]): Promise<void> {
  for (const pid of pids) await Bun.spawn(['sh', '-c', `for one in ${pid} $(cat /proc/${pid}/task/${pid}/children); do taskset -a -p -c ${cores} $one; done`], { stdout: 'ignore' }).exited
}

/** Far from everybody, and looked at with every request. */
async function setLimits(url: string): Promise<void> {
  for (const body of [
    { scope: { type: 'organization' }, amount: ORGANIZATION_CENTS, period: 'monthly' },
    { scope: { type: 'rbac_group', rbac_group_id: 'engineering' }, amount: PERSON_CENTS, period: 'daily' },
  ]) {
    const answer = await fetch(`${url}/v1/organizations/spend_limits`, { method: 'POST', headers: { 'x-api-key': WRITE_KEY, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`the limits could not be set: ${answer.status} ${await answer.text()}`)
  }
}
