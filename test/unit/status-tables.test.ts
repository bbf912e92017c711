import { describe, expect, test } from 'bun:test'
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts'
import type { Observation } from '../../src/observe/events.ts'
import type { CredentialReport, UpstreamReport } from '../../src/relay/upstream-report.ts'
import type { GatewayFacts } from '../../src/status/facts.ts'
import { flowTable, upstreamTable } from '../../src/status/status-tables.ts'
import { collectorFacts } from '../../src/telemetry/collector-facts.ts'
import { createTelemetryRelay } from '../../src/telemetry/relay.ts'

const UPSTREAM: UpstreamReport = { name: 'bedrock', provider: 'bedrock', priority: 0, weight: 1, in_flight: 0, breakers: [], requests: { succeeded: 3, failed: 0, undecided: 0 }, left_out: [] }
const FLOWS = { ledger: { requests_held: 0, settlements_waiting: 0, lag_seconds: 0, set_aside: 0, checks_unanswered: 0 }, collectors: [] } as unknown as GatewayFacts
const textOf = ({ markup }: { markup: string }) => markup.replace(/<[^>]+>/g, ' ').replace(/\u00a0/g, ' ').replace(/\s+/g, ' ')

describe('the table of upstreams', () => {
  const failure = { words: 'STS refused', seconds_ago: 9 }
  test.each<[string, CredentialReport, string[], string[]]>([
    ['that lives and could not be renewed', { kind: 'aws_role', age_seconds: 3400, expires_in_seconds: 200, failure }, ['answers', 'could not be renewed', '9 s ago: STS refused'], ['without a credential', 'none can be had']],
    ['that does not end by itself and was not had again', { kind: 'aws_role', age_seconds: 60, expires_in_seconds: null, failure }, ['answers', 'could not be renewed'], ['without a credential', 'none can be had']],
    ['that is about to end', { kind: 'aws_role', age_seconds: 3580, expires_in_seconds: 30, failure }, ['without a credential', 'none can be had'], ['answers', 'renewed']],
    ['that was never had', { kind: 'aws_role', failure }, ['without a credential', 'none can be had'], ['answers', 'renewed']],
    ['that was had', { kind: 'aws_role', age_seconds: 60, expires_in_seconds: 3000 }, ['answers', 'got 60 s ago, ends in 50 min'], ['none can be had', 'renewed']],
  ])('says of a credential %s what is so', (_, credential, said, unsaid) => {
    const text = textOf(upstreamTable([{ ...UPSTREAM, credential }]))
    for (const words of said) expect(text).toContain(words)
    for (const words of unsaid) expect(text).not.toContain(words)
  })
})

describe('the table of queues', () => {
  test('says what was lost also where there is no room for its column, and nothing where nothing was', () => {
    const one = (lost: number) => flowTable({ ...FLOWS, collectors: [{ name: 'otel:4318', delivered: 1, lost, held: 0, held_bytes: 0 }] }).markup
    expect(one(2)).toContain('<div class="tight">2 lost</div>')
    expect(one(0)).not.toContain('class="tight"')
  })

  test('names collectors by their host alone: what else is in a URL may be the secret', async () => {
    const observed: Observation[] = []
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('canary', { status: 400 }) })
    const host = `127.0.0.1:${server.port}`
    const urls = [`http://${host}/canary/v1?token=canary`, `http://${host}/canary/of/another`]
    const collectors = urls.map((url) => ({ url, headers: { authorization: 'canary' }, metrics: true, logs: false, traces: false, stamp_identity: false }))
    const relay = await createTelemetryRelay({ collectors, spool: undefined, fetch: createGuardedFetch({ allowLoopback: true }), observe: (one) => void observed.push(one) })
    await relay.accept({ sub: 'alice', signal: 'metrics', body: new TextEncoder().encode('{}'), contentType: 'application/json', contentEncoding: undefined }, { sub: 'alice', email: undefined, groups: [] })
    while (relay.reports().some(({ trouble }) => trouble === undefined)) await Bun.sleep(1)
    const facts = collectorFacts(relay.reports(), [])
    await relay.stop()
    await server.stop(true)
    expect(facts.map(({ name }) => name)).toEqual([host, `${host} (2)`])
    expect(textOf(flowTable({ ...FLOWS, collectors: facts }))).toContain(`${host} (2) telemetry`)
    expect(JSON.stringify([facts, observed]) + flowTable({ ...FLOWS, collectors: facts }).markup).not.toContain('canary')
  })
})
