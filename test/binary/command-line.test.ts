import { describe, expect, test } from 'bun:test'
import { version } from '../../package.json'
import { directoryWith, run } from './program.ts'

describe('the command line', () => {
  test.each([['--version'], ['version'], ['-v']])('prints the version of package.json for %s', async (word) => {
    expect(await run([word])).toEqual({ exitCode: 0, stdout: `gatehouse ${version}\n`, stderr: '' })
  })

  test.each(['--help', '-h', 'help', 'serve --help'])('prints every command for %s', async (words) => {
    const { exitCode, stdout, stderr } = await run(words.split(' '))
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    for (const command of ['serve --config', 'demo', 'config check', 'config print', 'config example', 'health', '--version']) expect(stdout).toContain(command)
  })

  test.each([
    [['fly'], 'unknown command "fly"'],
    [[], 'a command is needed'],
    [['serve'], '"serve" needs --config FILE'],
    [['serve', '--config'], '--config needs a value'],
    [['serve', '--config', 'a.yaml', '--wings', '2'], '"serve" takes no --wings'],
    [['-e', 'console.log(1)'], 'unknown command "-e"'],
  ])('refuses %j with exit code 2 and says why before the usage', async (words, why) => {
    const { exitCode, stdout, stderr } = await run(words)
    expect(stderr.split('\n')[0]).toBe(`gatehouse: ${why}`)
    expect(stderr).toContain('usage:')
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })
})

describe('gatehouse config', () => {
  const secrets = { OIDC_CLIENT_SECRET: 'an-oidc-secret', JWT_SECRET: 'jwt-secret-'.repeat(4), DATABASE_URL: 'postgres://me:pg-secret@db/gatehouse', ANTHROPIC_API_KEY: 'sk-ant-secret' }

  test('prints an example that it accepts itself', async () => {
    const example = await run(['config', 'example'])
    const { path, remove } = await directoryWith({ 'gateway.yaml': example.stdout })
    const checked = await run(['config', 'check', '--config', 'gateway.yaml'], { cwd: path, env: secrets })
    await remove()
    expect(checked).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^(warning: .*\n)*gateway\.yaml is valid\n$/), stderr: '' })
  })

  test('prints a configuration with its defaults and without a secret', async () => {
    const example = await run(['config', 'example'])
    const { path, remove } = await directoryWith({ 'gateway.yaml': example.stdout })
    const { stdout, exitCode } = await run(['config', 'print', '--config', 'gateway.yaml'], { cwd: path, env: secrets })
    await remove()
    expect(exitCode).toBe(0)
    expect(stdout).toContain('ttl_hours: 1')
    for (const secret of ['an-oidc-secret', 'jwt-secret', 'pg-secret', 'sk-ant-secret']) expect(stdout).not.toContain(secret)
  })

  test('says where every mistake of a file is, and guesses the key that was meant', async () => {
    const { path, remove } = await directoryWith({ 'gateway.yaml': 'listen:\n  hosst: 127.0.0.1\nsession: { jwt_secret: short }\n' })
    const { stderr, exitCode } = await run(['config', 'check', '--config', 'gateway.yaml'], { cwd: path })
    await remove()
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^gateway\.yaml:2:3 {2}listen\.hosst: .*did you mean.*host/m)
    expect(stderr).toMatch(/^gateway\.yaml:3:\d+ {2}session\.jwt_secret: /m)
    expect(stderr).toMatch(/^gateway\.yaml:\d+:\d+ {2}upstreams: /m)
  })
})
