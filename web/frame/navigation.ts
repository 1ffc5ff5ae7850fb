/** The menu of administrators and observers: texts by their key in the catalogue. */
export const ADMINISTRATOR_NAVIGATION = [
  {
    title: 'navigation.day',
    pages: [
      { to: '/overview', name: 'navigation.overview' },
      { to: '/', name: 'navigation.myDesktops' },
    ],
  },
  {
    title: 'navigation.infrastructure',
    pages: [
      { to: '/hypervisors', name: 'navigation.hypervisors' },
      { to: '/machines', name: 'navigation.machines' },
      { to: '/images', name: 'navigation.images' },
      { to: '/pools', name: 'navigation.pools' },
      { to: '/thin-clients', name: 'navigation.thinClients' },
      { to: '/clients-xml', name: 'navigation.clientsXml' },
    ],
  },
  {
    title: 'navigation.access',
    pages: [
      { to: '/people', name: 'navigation.people' },
      { to: '/grants', name: 'navigation.grants' },
      { to: '/directories', name: 'navigation.directories' },
    ],
  },
  {
    title: 'navigation.records',
    pages: [
      { to: '/jobs', name: 'navigation.jobs' },
      { to: '/audit', name: 'navigation.audit' },
      { to: '/api-docs', name: 'navigation.apiDocs' },
    ],
  },
] as const
