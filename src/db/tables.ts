// The tables as the migrations make them, for typed queries. Names are the columns' own. What needs a reason is
// explained in migrations/; a test compares both.
import { integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import type { Identity } from '../principal.ts'

const moment = () => timestamp({ withTimezone: true })

export const device_grant = pgTable('device_grant', {
  device_code_hash: text().primaryKey(),
  user_code: text().notNull(),
  status: text({ enum: ['pending', 'approved', 'denied', 'consumed'] }).notNull().default('pending'),
  interval_seconds: integer().notNull(),
  created_at: moment().notNull().defaultNow(),
  expires_at: moment().notNull(),
  last_polled_at: moment(),
  requester_ip: text().notNull(),
  identity: jsonb().$type<Identity>(),
  idp_refresh_token: text(),
})

export const sign_in_attempt = pgTable('sign_in_attempt', {
  state_hash: text().primaryKey(),
  browser_hash: text().notNull(),
  device_code_hash: text().references(() => device_grant.device_code_hash, { onDelete: 'cascade' }),
  sealed: text().notNull(),
  expires_at: moment().notNull(),
  purpose: text({ enum: ['device', 'page'] }).notNull().default('device'),
})

export const session = pgTable('session', {
  sid: uuid().primaryKey(),
  issuer: text().notNull(),
  sub: text().notNull(),
  email: text(),
  name: text(),
  groups: jsonb().$type<readonly string[]>().notNull(),
  created_at: moment().notNull().defaultNow(),
  refreshed_at: moment().notNull().defaultNow(),
  revoked_at: moment(),
  idp_refresh_token: text(),
})

export const refresh_token = pgTable('refresh_token', {
  token_hash: text().primaryKey(),
  sid: uuid().notNull().references(() => session.sid, { onDelete: 'cascade' }),
  created_at: moment().notNull().defaultNow(),
  claimed_until: moment(),
  used_at: moment(),
  successor: text(),
})
