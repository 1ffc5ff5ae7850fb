import { NameParams } from '../api/common.js'
import { SpiceConsole } from '../api/machines.js'
import { recordEvent } from '../audit/store.js'
import { type App, callerOf, route } from '../http.js'
import { requireMachine } from '../machines/store.js'
import { type ConsolesDeps, spiceConsole } from './service.js'

export function consoleRoutes (deps: ConsolesDeps) {
  return (app: App): void => {
    app.post('/machines/:name/console', route('A one-time ticket for its display', { params: NameParams }, { 200: SpiceConsole }), async (request) => {
      const machine = await requireMachine(deps.store, request.params.name)
      const by = callerOf(request)
      const console = await spiceConsole(deps, machine)
      await recordEvent(deps.store, by, 'console.ticket', `machine:${machine.name}`)
      return console
    })
  }
}
