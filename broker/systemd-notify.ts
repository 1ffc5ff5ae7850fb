import { execFile } from 'node:child_process'
import type { Logger } from 'pino'

/**
 * Tells systemd that the broker is ready, and then that it is alive, at half the time that
 * WatchdogSec allows (sd_notify(3)). Node has no datagram socket for unix paths, so systemd-notify
 * carries the word; the unit allows that with NotifyAccess=all. Gives the function that ends it.
 */
export function notifySystemd(log: Logger): () => void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return () => {}
  const tell = (...words: string[]): void => {
    execFile('systemd-notify', words, (error) => {
      if (error) log.warn({ err: error }, 'systemd could not be told')
    })
  }
  tell('--ready')
  const watchdogMs = Number(process.env['WATCHDOG_USEC'] ?? 0) / 1_000
  const timer =
    watchdogMs > 0
      ? setInterval(() => {
          tell('WATCHDOG=1')
        }, watchdogMs / 2)
      : undefined
  return () => {
    clearInterval(timer)
    tell('--stopping')
  }
}
