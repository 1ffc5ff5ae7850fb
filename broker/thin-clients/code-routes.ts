import { CodeAnswer, CodeDevice, CodeLook } from '../api/device-logins.js'
import { type App, callerOf, NoContent, route } from '../http.js'
import type { DeviceCodes } from './device-codes.js'

/** The code is in the body: addresses are written into logs. */
export function deviceCodeRoutes(codes: DeviceCodes) {
  return (app: App): void => {
    app.post(
      '/device-login/look',
      route('Which thin client shows this code', { body: CodeLook }, { 200: CodeDevice }),
      async (request) => await codes.look(request.body.code, callerOf(request)),
    )
    app.post(
      '/device-login/answer',
      route(
        'Log in at the thin client that shows this code, or refuse it',
        { body: CodeAnswer },
        { 204: NoContent },
      ),
      async (request, reply) => {
        await codes.answer(request.body.code, request.body.confirm, callerOf(request))
        return await reply.code(204).send()
      },
    )
  }
}
