// Gives the driver an empty PostgreSQL and the compiled binary, and ends as it ends.
import { createTestDatabase, stopSharedServer } from '../test/support/database.ts'

/** Steps of capabilities that this version validates in the configuration and does not serve. */
const LATER: string[] = []

const [driver = '', ...options] = process.argv.slice(2)
const database = await createTestDatabase({ migrated: false })
const env = {
  ...process.env,
  DATABASE_URL: database.url,
  GATEWAY_CMD: `GATEHOUSE_ALLOW_LOOPBACK=1 exec ${process.cwd()}/dist/gatehouse serve --config "$CONFIG"`,
}
const skip = options.some((option) => option.startsWith('--skip')) ? [] : ['--skip', LATER.join(',')]
const exitCode = await Bun.spawn([driver, ...skip, ...options], { env, stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' }).exited
await database.drop()
await stopSharedServer()
process.exit(exitCode)
