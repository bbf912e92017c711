import * as v from 'valibot'
import { boolean, described, mapping, oneOf } from '../std/fields.ts'

export const auditSchema = mapping({
  store: described(v.optional(boolean(), false), 'Store audit events in PostgreSQL as well, in order and chained, so that `gatehouse audit verify` can prove that none was changed or removed. Kept for `admin.audit_retention_days`.'),
  on_failure: described(
    v.optional(oneOf(['continue', 'block']), 'continue'),
    'PostgreSQL takes no events: they are kept in memory, and when that lasts, requests go on with what is beyond on standard error alone, or new requests are refused.',
  ),
})

export type AuditConfig = v.InferOutput<typeof auditSchema>
