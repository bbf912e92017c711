// The migrations as they are compiled into the program, in order. Append-only; a test compares the list with the folder.
import type { Migration } from './migrate.ts'
import signIn from '../../migrations/0001_sign_in.sql' with { type: 'text' }
import ledger from '../../migrations/0002_ledger.sql' with { type: 'text' }
import limits from '../../migrations/0003_limits.sql' with { type: 'text' }
import quotas from '../../migrations/0004_quotas.sql' with { type: 'text' }
import alerts from '../../migrations/0005_alerts.sql' with { type: 'text' }
import me from '../../migrations/0007_me.sql' with { type: 'text' }
import audit from '../../migrations/0008_audit.sql' with { type: 'text' }
import ledgerBatches from '../../migrations/0009_ledger_batches.sql' with { type: 'text' }
import admission from '../../migrations/0010_admission.sql' with { type: 'text' }

export const migrations: readonly Migration[] = [
  { name: '0001_sign_in.sql', text: signIn },
  { name: '0002_ledger.sql', text: ledger },
  { name: '0003_limits.sql', text: limits },
  { name: '0004_quotas.sql', text: quotas },
  { name: '0005_alerts.sql', text: alerts },
  { name: '0007_me.sql', text: me },
  { name: '0008_audit.sql', text: audit },
  { name: '0009_ledger_batches.sql', text: ledgerBatches },
  { name: '0010_admission.sql', text: admission },
]
