const DAY = /^(\d{4})-(\d\d)-(\d\d)$/

/**
 * A day as the reader means it, in their own time: the instant at which it begins, or at which it has
 * ended. What is no day stays as it is.
 */
export function instantOf(text: string, end: 'begin' | 'end'): string {
  const [, year, month, day] = DAY.exec(text.trim()) ?? []
  if (year === undefined || month === undefined || day === undefined) return text.trim()
  const at = new Date(Number(year), Number(month) - 1, Number(day) + (end === 'end' ? 1 : 0))
  return Number.isNaN(at.getTime()) ? text.trim() : at.toISOString()
}
