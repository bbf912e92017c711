import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { freePort } from '../support/free-port.ts'
import { directoryWith, start, type Program } from './program.ts'

let place: Awaited<ReturnType<typeof directoryWith>>
let port: number
let demo: Program

beforeAll(async () => {
  place = await directoryWith({})
  port = await freePort()
  demo = start(['demo', '--port', String(port)], { cwd: place.path })
  await demo.printed(/one line of JSON for each event/)
})
afterAll(async () => {
  await demo.end()
  await place.remove()
})

/** The indented lines that follow `heading`, as a person would paste them. */
function linesUnder(heading: string): string {
  const [, after = ''] = demo.stdout().split(heading)
  const lines = after.split('\n').slice(1)
  return lines.slice(0, lines.findIndex((line) => /^\S/.test(line))).join('\n')
}

async function paste(script: string): Promise<string> {
  const shell = Bun.spawn(['sh', '-c', script], { env: { PATH: process.env.PATH ?? '' }, stdout: 'pipe', stderr: 'inherit' })
  return new Response(shell.stdout).text()
}

describe('gatehouse demo', () => {
  test('signs a person in and streams an answer with the very lines it prints', async () => {
    const answer = await paste(linesUnder('With curl'))
    expect(answer).toContain('event: message_start')
    expect(answer).toContain('event: content_block_delta')
    expect(answer).toContain('event: message_stop')
  })

  test('prints settings that send Claude Code to itself', () => {
    expect(JSON.parse(linesUnder('With Claude Code'))).toEqual({ forceLoginMethod: 'gateway', forceLoginGatewayUrl: `http://127.0.0.1:${port}` })
  })

  test('listens on loopback alone', async () => {
    const table = (await Bun.file(`/proc/${demo.pid}/net/tcp`).text()) + (await Bun.file(`/proc/${demo.pid}/net/tcp6`).text())
    const inodes = await paste(`ls -l /proc/${demo.pid}/fd | grep -o 'socket:\\[[0-9]*' | grep -o '[0-9]*$'`)
    const mine = new Set(inodes.trim().split('\n'))
    // Columns of proc_net(5): local address in hexadecimal, state 0A is LISTEN, inode.
    const listening = table.split('\n').map((line) => line.trim().split(/\s+/)).filter((row) => row[3] === '0A' && mine.has(row[9] ?? ''))
    expect(listening.length).toBeGreaterThan(0)
    expect(listening.map((row) => row[1]?.split(':')[0]).filter((address) => address !== '0100007F')).toEqual([])
  })

  test('leaves nothing behind and exits with 0 on SIGTERM', async () => {
    demo.signal('SIGTERM')
    expect(await demo.exited).toBe(0)
    expect(await paste(`ls -A ${place.path}`)).toBe('')
  })
})
