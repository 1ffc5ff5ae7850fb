import { History, HistoryQuery } from '../api/history.js'
import { type App, route } from '../http.js'
import type { SiteHistory } from './service.js'

export function historyRoutes(history: SiteHistory) {
  return (app: App): void => {
    app.get(
      '/history',
      route(
        'Sessions, waits and starts of the last day or week',
        { querystring: HistoryQuery },
        { 200: History },
      ),
      async (request) => await history.of(request.query.span ?? 'day'),
    )
  }
}
