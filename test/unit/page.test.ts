import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { html, renderPage } from '../../src/http/page.ts'

describe('the html tag', () => {
  test('escapes what could become markup, in text and in attributes', () => {
    const value = `<img src=x onerror="alert('1')">&amp;`
    expect(html`<p title="${value}">${value}</p>`.markup).not.toMatch(/<img|onerror="/)
    expect(html`${value}`.markup).toBe('&#60;img src=x onerror=&#34;alert(&#39;1&#39;)&#34;&#62;&#38;amp;')
  })

  // T075
  test('drops bidirectional controls, NUL and other controls, and keeps letters of any script', () => {
    expect(html`${'a\u202eb\u2066c\u200fd\u061ce\0f\u0085g\ufeffh'}`.markup).toBe('abcdefgh')
    expect(html`${'Ågot שלום 東京\u200d\u{1f600}'}`.markup).toBe('Ågot שלום 東京\u200d\u{1f600}')
  })

  test('keeps markup of its own, joins lists, and leaves out what is absent', () => {
    expect(html`<ul>${['a', '<'].map((item) => html`<li>${item}</li>`)}</ul>${undefined}${null}${false}${0}`.markup).toBe('<ul><li>a</li><li>&#60;</li></ul>0')
  })

  test('does not take an object of a stranger for markup', () => {
    expect(html`${JSON.parse('{"markup":"<script>"}')}`.markup).not.toContain('<script>')
  })
})

describe('a page', () => {
  const page = renderPage({ title: '<t>', body: html`<h1>x</h1>`, status: 403, formAction: ['https://idp.example'], headers: { 'retry-after': '9' } })

  test('allows its own style sheet by hash and nothing else', async () => {
    const text = await page.clone().text()
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    expect(page.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; img-src data:; form-action 'self' https://idp.example; frame-ancestors 'none'; base-uri 'none'`,
    )
  })

  test('loads nothing and runs nothing', async () => {
    const text = await page.clone().text()
    expect(text.match(/<link[^>]*>/g)).toEqual([expect.stringContaining('rel="icon" href="data:image/svg+xml,')])
    expect(text).not.toMatch(/<script|<img|<iframe|<object|<embed|url\(|@import|\bon[a-z]+=|style="|https?:/i)
  })

  test('is not cached and carries status, title and headers', async () => {
    expect(page.status).toBe(403)
    expect(page.headers.get('cache-control')).toBe('no-store')
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('retry-after')).toBe('9')
    expect(await page.clone().text()).toContain('<title>&#60;t&#62;</title>')
  })

  test('says its language and has one main landmark', async () => {
    const text = await page.clone().text()
    expect(text).toContain('<html lang="en">')
    expect(text.match(/<main/g)).toHaveLength(1)
  })
})
