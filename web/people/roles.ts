/** Names of roles out of what was typed: between commas or spaces. */
export function rolesIn (text: string): string[] { return [...new Set(text.split(/[\s,]+/).filter((role) => role !== ''))] }
