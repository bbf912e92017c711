// Writes the generated documentation; a test fails when it is stale.
import { renderReference } from '../src/config/reference.ts'

await Bun.write(new URL('../docs/configuration.md', import.meta.url), renderReference())
