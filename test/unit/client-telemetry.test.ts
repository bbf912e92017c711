import { describe, expect, test } from 'bun:test'
import { desktopTelemetry, telemetryEnvironment } from '../../src/policy/client-telemetry.ts'
import { policyFrom } from '../../src/policy/policy-from.ts'
import { complete, load, type Values } from '../support/config-texts.ts'

const URL = 'https://gw.example.com'
const collector = (metrics: boolean, logs = false, traces = false) => ({ metrics, logs, traces })
const ENVIRONMENT = {
  CLAUDE_CODE_ENABLE_TELEMETRY: '1',
  OTEL_METRICS_EXPORTER: 'otlp',
  OTEL_LOGS_EXPORTER: 'none',
  OTEL_TRACES_EXPORTER: 'none',
  OTEL_EXPORTER_OTLP_ENDPOINT: URL,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
}

describe('the environment of telemetry', () => {
  test('asks for the signals that any collector takes', () => {
    expect(telemetryEnvironment({ forward_to: [collector(true)] }, URL)).toEqual(ENVIRONMENT)
    expect(telemetryEnvironment({ forward_to: [collector(false, true), collector(false, false, true)] }, URL)).toEqual({ ...ENVIRONMENT, OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'otlp', OTEL_TRACES_EXPORTER: 'otlp' })
  })

  test('has the attributes of the organisation, as they are', () => {
    expect(telemetryEnvironment({ forward_to: [collector(true)], resource_attributes: { department: 'eng', 'cost.center': 'a/b:c@d' } }, URL)?.OTEL_RESOURCE_ATTRIBUTES).toBe('department=eng,cost.center=a/b:c@d')
  })

  test('is none without a collector, or where the gateway has no name', () => {
    expect(telemetryEnvironment(undefined, URL)).toBeUndefined()
    expect(telemetryEnvironment({ forward_to: [] }, URL)).toBeUndefined()
    expect(telemetryEnvironment({ forward_to: [collector(true)] }, undefined)).toBeUndefined()
  })
})

describe('a document', () => {
  const telemetry = { forward_to: [{ url: 'https://otel.example.com' }] }
  const told = (managed: Values | undefined, person = { email: undefined, groups: ['eng'] }) => policyFrom(load(complete({ telemetry, managed })).config).forPerson(person).document?.settings

  test('has it under what the policy and its base say', () => {
    const base = { match: {}, cli: { env: { OTEL_LOGS_EXPORTER: 'console', A: 'base' } } }
    expect(told({ policies: [{ match: { groups: ['eng'] }, cli: { env: { CLAUDE_CODE_ENABLE_TELEMETRY: '0', A: 'own' } } }, base] })).toEqual({ env: { ...ENVIRONMENT, OTEL_LOGS_EXPORTER: 'console', CLAUDE_CODE_ENABLE_TELEMETRY: '0', A: 'own' } })
    expect(told({ policies: [{ match: {}, desktop: {} }] })).toEqual({ env: ENVIRONMENT })
  })

  test('of nobody’s policy is there where there are no policies at all', () => {
    expect(told(undefined)).toEqual({ env: ENVIRONMENT })
    expect(told({ policies: [{ match: { groups: ['ops'] }, cli: {} }] })).toBeUndefined()
  })
})

describe('the telemetry of Claude Desktop', () => {
  const telemetry = { forward_to: [collector(true)], resource_attributes: { department: 'eng' } }
  const of = (principal: Values, settings = {}) => desktopTelemetry(telemetry, URL, { sub: 'okta|1', email: 'a@example.com', groups: ['b', 'c'], ...principal } as never, settings)
  const attributes = (principal: Values) => of(principal).otlpResourceAttributes as unknown

  test('names the person beside the attributes of the organisation', () => {
    expect(of({})).toEqual({ otlpEndpoint: URL, otlpProtocol: 'http/protobuf', otlpResourceAttributes: { department: 'eng', 'enduser.id': 'a@example.com', 'user.email': 'a@example.com', 'user.groups': 'b,c', 'enduser.sub': 'okta|1' } })
  })

  test.each<[string, Values, Values]>([
    ['a subject alone', { email: undefined, groups: [] }, { department: 'eng', 'enduser.id': 'okta|1', 'enduser.sub': 'okta|1' }],
    ['an empty address as none', { email: '', groups: [] }, { department: 'eng', 'enduser.id': 'okta|1', 'enduser.sub': 'okta|1' }],
    ['no groups that would read as others', { email: undefined, groups: ['a', 'b=c'] }, { department: 'eng', 'enduser.id': 'okta|1', 'enduser.sub': 'okta|1' }],
    ['no groups that are too many', { email: undefined, groups: Array.from({ length: 100 }, (_, n) => `group-${n}`) }, { department: 'eng', 'enduser.id': 'okta|1', 'enduser.sub': 'okta|1' }],
    ['no address that would read as more', { email: 'e,user.groups=admins@x.com', groups: [] }, { department: 'eng', 'enduser.id': 'okta|1', 'enduser.sub': 'okta|1' }],
    ['no subject that would read as two', { sub: 'a b', groups: [] }, { department: 'eng', 'enduser.id': 'a@example.com', 'user.email': 'a@example.com' }],
  ])('names %s', (_, principal, expected) => {
    expect(attributes(principal)).toEqual(expected)
  })

  test('is JSON where the policy says so for Claude Code', () => {
    expect(of({}, { env: { OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json' } }).otlpProtocol).toBe('http/json')
  })

  test('is none where nobody wants it', () => {
    expect(desktopTelemetry(undefined, URL, { sub: 'a', groups: [] } as never, {})).toEqual({})
  })
})
