// Gives the driver an empty PostgreSQL and the compiled binary, and ends as it ends.
import { createTestDatabase, stopSharedServer } from '../test/support/database.ts'

const [driver = '', ...options] = process.argv.slice(2)
const database = await createTestDatabase({ migrated: false })
const env = {
  ...process.env,
  DATABASE_URL: database.url,
  GATEWAY_CMD: `GATEHOUSE_ALLOW_LOOPBACK=1 exec ${process.cwd()}/dist/gatehouse serve --config "$CONFIG"`,
}
const exitCode = await Bun.spawn([driver, ...options], { env, stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' }).exited
await database.drop()
await stopSharedServer()
process.exit(exitCode)
