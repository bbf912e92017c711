// Writes the generated documentation; tests fail when it is stale.
import { renderReference } from '../src/config/reference.ts'
import { renderEvents } from '../src/observe/event-reference.ts'

await Bun.write(new URL('../docs/configuration.md', import.meta.url), renderReference())
await Bun.write(new URL('../docs/events.md', import.meta.url), renderEvents())
