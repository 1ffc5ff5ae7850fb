import '@patternfly/react-core/dist/styles/base.css'
import './frame/frame.css'
import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { BrowserRouter } from 'react-router'
import { queryClient } from './api/queries.js'
import { App } from './app.js'
import { FaultBoundary } from './frame/page-fault.js'
import { startTheme } from './frame/theme.js'
import { startCatalogue } from './language/catalogue.js'
import { keepFocus } from './parts/kept-focus.js'

startTheme()
keepFocus()
await startCatalogue()
const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <BrowserRouter>
        <FaultBoundary place="everything">
          <App />
        </FaultBoundary>
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
)
