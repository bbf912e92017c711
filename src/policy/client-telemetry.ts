// What clients are told of telemetry: to send it here, for the gateway to relay it to the organisation's collectors. Pure.
import type { Principal } from '../principal.ts'
import type { Json, Settings } from './merge.ts'

export interface ClientTelemetry {
  readonly forward_to: readonly { readonly metrics: boolean; readonly logs: boolean; readonly traces: boolean }[]
  readonly resource_attributes?: Readonly<Record<string, string>> | undefined
}

/** Variables of Claude Code's environment; undefined where no collector is there, or nobody knows what the gateway is called. */
export function telemetryEnvironment(telemetry: ClientTelemetry | undefined, publicUrl: string | undefined): Settings | undefined {
  if (telemetry === undefined || telemetry.forward_to.length === 0 || publicUrl === undefined) return undefined
  const exporter = (signal: 'metrics' | 'logs' | 'traces') => (telemetry.forward_to.some((collector) => collector[signal]) ? 'otlp' : 'none')
  const attributes = Object.entries(telemetry.resource_attributes ?? {})
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_METRICS_EXPORTER: exporter('metrics'),
    OTEL_LOGS_EXPORTER: exporter('logs'),
    OTEL_TRACES_EXPORTER: exporter('traces'),
    OTEL_EXPORTER_OTLP_ENDPOINT: publicUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    ...(attributes.length === 0 ? {} : { OTEL_RESOURCE_ATTRIBUTES: attributes.map(([name, value]) => `${name}=${value}`).join(',') }),
  }
}

/** A variable that the policy or its base sets is the operator's word. */
export function withEnvironment(settings: Settings, environment: Settings | undefined): Settings {
  return environment === undefined ? settings : { ...settings, env: { ...environment, ...(settings.env as Settings | undefined) } }
}

/** The keys of Claude Desktop, which names the person itself; `settings` are those of Claude Code, told with their environment. */
export function desktopTelemetry(telemetry: ClientTelemetry | undefined, publicUrl: string | undefined, { sub, email, groups }: Principal, settings: Settings): Settings {
  if (telemetryEnvironment(telemetry, publicUrl) === undefined) return {}
  const env = (settings.env ?? {}) as Settings
  const isJson = PROTOCOLS.some((name) => env[name] === 'http/json')
  const address = email !== undefined && fits(email) ? email : undefined
  const person: Record<string, Json | undefined> = { 'enduser.id': address ?? (fits(sub) ? sub : undefined), 'user.email': address, 'user.groups': attributeOfGroups(groups), 'enduser.sub': fits(sub) ? sub : undefined }
  return {
    otlpEndpoint: publicUrl as string,
    otlpProtocol: isJson ? 'http/json' : 'http/protobuf',
    otlpResourceAttributes: { ...telemetry?.resource_attributes, ...(Object.fromEntries(Object.entries(person).filter(([, value]) => value !== undefined)) as Settings) },
  }
}

const PROTOCOLS = ['', 'METRICS_', 'LOGS_', 'TRACES_'].map((signal) => `OTEL_EXPORTER_OTLP_${signal}PROTOCOL`)

/** Groups whose names would read as two, or as another attribute, are told not at all. */
function attributeOfGroups(groups: readonly string[]): string | undefined {
  const text = groups.join(',')
  return groups.length > 0 && !groups.some((group) => /[,=]/.test(group)) && encodeURIComponent(text).length <= 255 ? text : undefined
}

/** OpenTelemetry's resource attributes in the environment: printable ASCII without what separates them. */
function fits(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value) && !/[,;=\\"%]/.test(value) && encodeURIComponent(value).length <= 255
}
