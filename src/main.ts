import { version } from '../package.json'

process.stdout.write(`gatehouse ${version}\n`)
