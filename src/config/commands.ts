// `gatehouse config …`: the file as the program understands it.
import { stringify } from 'yaml'
import example from '../../docs/examples/minimal.yaml' with { type: 'text' }
import { BootError } from '../errors.ts'
import type { Environment } from './expand.ts'
import { loadConfig } from './load.ts'
import { printable } from './print.ts'
import { laterFeatures } from './later-features.ts'

export interface Outcome {
  text: string
  exitCode: number
  /** For a person beside the text, which may be read by a machine. */
  asides?: string
}

/** Every problem of the file, or that there is none. */
export async function checkConfig(file: string, environment: Environment): Promise<Outcome> {
  return attempt(async () => {
    const { config, warnings } = await loadConfig(file, environment)
    return [...warnings, ...laterFeatures(config)].map((warning) => `warning: ${warning}\n`).join('') + `${file} is valid\n`
  })
}

/** The configuration with defaults applied and secrets hidden. */
export async function printConfig(file: string, environment: Environment): Promise<Outcome> {
  return attempt(async () => stringify(printable((await loadConfig(file, environment)).config)))
}

/** A configuration to start from. */
export function exampleConfig(): string {
  return example
}

async function attempt(work: () => Promise<string>): Promise<Outcome> {
  try {
    return { text: await work(), exitCode: 0 }
  } catch (error) {
    if (!(error instanceof BootError)) throw error
    return { text: `${error.message}\n`, exitCode: 1 }
  }
}
