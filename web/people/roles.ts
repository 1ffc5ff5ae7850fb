/**
 * Names of roles out of what was typed: between commas. A name may have spaces within, and those at
 * its ends are none of it.
 */
export function rolesIn(text: string): string[] {
  return [
    ...new Set(
      text
        .split(',')
        .map((role) => role.trim())
        .filter((role) => role !== ''),
    ),
  ]
}
