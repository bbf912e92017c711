// Where alerts go, and the headers and words that go along.
import { createHash, createHmac } from 'node:crypto'
import type { Secret } from '../std/secret.ts'
import type { PassedThreshold } from './alert.ts'
import { slackBody, webhookBody } from './message.ts'

/** As much of `admin.alerts.destinations[]` as alerts need. */
export interface DestinationConfig {
  readonly url: Secret
  readonly kind: 'webhook' | 'slack'
  readonly secret?: Secret | undefined
}

export interface Destination extends DestinationConfig {
  /** A hash: the URL of a webhook is a secret, and the database holds none. */
  readonly id: string
  /** The host, for the log. */
  readonly host: string
}

export function toDestination(config: DestinationConfig): Destination {
  const url = config.url.reveal()
  return { ...config, id: createHash('sha256').update(`${config.kind} ${url}`).digest('base64url'), host: new URL(url).host }
}

export function bodyFor({ kind }: Destination, alert: PassedThreshold, nowMs: number): string {
  return kind === 'slack' ? slackBody(alert, nowMs) : webhookBody(alert, nowMs)
}

/** `deliveryId` is the same at each attempt, so that a receiver knows what it has already. */
export function headersFor({ kind, secret }: Destination, deliveryId: string, body: string, nowMs: number): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-gatehouse-delivery': deliveryId,
    ...(kind === 'slack' || secret === undefined ? {} : { 'x-gatehouse-signature': signature(secret, body, Math.floor(nowMs / 1000)) }),
  }
}

/** The time is signed, too: who records a delivery cannot send it again later. */
export function signature(secret: Secret, body: string, unixSeconds: number): string {
  return `t=${unixSeconds},v1=${createHmac('sha256', secret.reveal()).update(`${unixSeconds}.${body}`).digest('hex')}`
}
