import { describe, expect, test } from 'bun:test'
import { splitSocketDirectory } from '../../src/db/socket-directory.ts'

describe('splitSocketDirectory', () => {
  test('takes the directory out of the URL, because the server would refuse it as a setting', () => {
    expect(splitSocketDirectory('postgres://me@localhost/db?host=%2Frun%2Fpostgresql&sslmode=disable')).toEqual({
      url: 'postgres://me@localhost/db?sslmode=disable',
      host: '/run/postgresql',
    })
  })

  test.each(['postgres://me:p%40ss@db.example:5433/db?sslmode=require', 'postgres://a:1,b:2/db', 'postgres://me@h/db?host=other.example'])(
    'leaves %s as it is',
    (url) => {
      expect(splitSocketDirectory(url)).toEqual({ url })
    },
  )
})
