export const SIGNALS = ['metrics', 'logs', 'traces'] as const
/** A kind of telemetry; its path is `/v1/<signal>`, OTLP/HTTP. */
export type Signal = (typeof SIGNALS)[number]
