// `gatehouse health`: asks a gateway whether it is ready, for container health checks.

/** Exit code 0 when `<url>/readyz` answers 200 within three seconds. */
export async function probeHealth(url: string): Promise<{ text: string; exitCode: number }> {
  try {
    // `proxy: false`: a probe of this machine must not go through the environment's proxy.
    const options = { signal: AbortSignal.timeout(3000), redirect: 'manual', proxy: false }
    const response = await fetch(new URL('/readyz', url), options as unknown as RequestInit)
    const text = response.ok ? 'ready\n' : `not ready (${response.status})\n`
    return { text, exitCode: response.ok ? 0 : 1 }
  } catch {
    return { text: `nothing answers at ${url}\n`, exitCode: 1 }
  }
}
