/** Whether this is the URL of a PostgreSQL database, and not the path of a file. */
export function isPostgresql(where: string): boolean {
  return /^postgres(ql)?:\/\//.test(where)
}

/** Where a database is, for people: without a name or a password. */
export function shownPlace(url: string): string {
  const { host, pathname, searchParams } = new URL(url)
  const server = host === '' ? (searchParams.get('host') ?? 'localhost') : host
  return `${decodeURIComponent(pathname.slice(1))} at ${server}`
}

/** What is wrong with the URL of a PostgreSQL database; null: nothing. */
export function placeFault(url: string): string | null {
  if (!isPostgresql(url) || !URL.canParse(url))
    return 'it is sqlite, or a URL such as postgresql://berth@db.example.org/berth'
  const { password, pathname, searchParams } = new URL(url)
  if (!isDecodable(pathname)) return 'the name of the database has a % that stands for nothing'
  if (password !== '' || searchParams.has('password'))
    return 'a password does not belong there: name a file that holds it in store-password-file'
  return pathname.length > 1 ? null : 'the URL names no database: end it with /berth, for example'
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== ''
  } catch {
    return false
  }
}
