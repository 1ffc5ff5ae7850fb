import { CheckStarted } from '../api/checks.js'
import { NameParams } from '../api/common.js'
import { type App, callerOf, route } from '../http.js'
import type { Doctor } from './service.js'

export function doctorRoutes(doctor: Doctor) {
  return (app: App): void => {
    app.post(
      '/hypervisors/:name/check',
      route(
        'Check it from name to displays; changes nothing there',
        { params: NameParams },
        { 202: CheckStarted },
      ),
      async (request, reply) =>
        await reply
          .code(202)
          .send({ job: await doctor.check(request.params.name, callerOf(request)) }),
    )
  }
}
