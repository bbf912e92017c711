// Runs before the tests of a process, and after them stops what they share.
import { afterAll } from 'bun:test'
import { stopSharedServer } from './database.ts'

afterAll(stopSharedServer)
