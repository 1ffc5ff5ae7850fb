const STEPS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1.5 GiB`: three figures are enough for an eye. */
export function byteText(bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(STEPS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** step
  return `${value >= 100 || step === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${STEPS[step] ?? 'B'}`
}

export function mibText(mib: number): string {
  return byteText(mib * 1_048_576)
}
