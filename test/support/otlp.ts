// OTLP by the official definitions, as OpenTelemetry's own packages generate them.
import generated from '@opentelemetry/otlp-transformer/build/src/generated/root.js'

const { collector } = (generated as any).opentelemetry.proto
const requests = { metrics: collector.metrics.v1.ExportMetricsServiceRequest, logs: collector.logs.v1.ExportLogsServiceRequest, traces: collector.trace.v1.ExportTraceServiceRequest }

export type OtlpSignal = keyof typeof requests

/** 64-bit numbers may be text. */
export function encodeOtlp(signal: OtlpSignal, message: object): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(requests[signal].encode(requests[signal].fromObject(message)).finish())
}

/** Throws for what is no message. 64-bit numbers are text. */
export function decodeOtlp(signal: OtlpSignal, bytes: Uint8Array): any {
  return requests[signal].toObject(requests[signal].decode(bytes), { longs: String, bytes: String })
}
