// A process that accepts exports onto disk until it is killed, and says of each that it has: `bun spooling-process.ts DIR URL`.
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import { createTelemetryRelay } from '../../src/telemetry/relay.ts'

const [dir = '', url = ''] = Bun.argv.slice(2)
const collectors = [{ url, headers: {}, metrics: true, logs: false, traces: false, stamp_identity: false }]
const relay = await createTelemetryRelay({ collectors, spool: { dir, max_bytes: 1024 ** 3 }, fetch: createGuardedFetch({ allowLoopback: true }), observe: () => {} })
for (let n = 0; ; n++) {
  await relay.accept({ sub: `person-${n % 7}`, signal: 'metrics', contentType: 'application/json', contentEncoding: undefined, body: Buffer.from(`export ${n}`) }, { sub: 's', email: undefined, groups: [] })
  process.stdout.write(`${n}\n`)
}
