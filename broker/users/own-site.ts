/** The parts of a request that tell under which name it reached us. */
export interface Reached {
  readonly host: string
  readonly socket: { readonly localAddress?: string | undefined }
}

/**
 * Under which names browsers find this broker. Without `publicNames` any name counts, as long as
 * page and request agree. With them a page must have been loaded under one of them or under the
 * address that it reached: a name of somebody else's that leads here (DNS rebinding) makes no page
 * of ours.
 */
export class OwnSite {
  constructor(readonly publicNames: readonly string[]) {}

  /** Whether an Origin header is that of our own pages: the same name and port as the request's, and ours. */
  isOrigin(origin: string, request: Reached): boolean {
    return origin.toLowerCase() === `https://${request.host.toLowerCase()}` && this.isOwn(request)
  }

  /** Whether the name in the request's Host header is ours. */
  isOwn({ host, socket }: Reached): boolean {
    if (this.publicNames.length === 0) return true
    const name = hostName(host)
    return (
      this.publicNames.some((own) => own.toLowerCase() === name) ||
      name === plain(socket.localAddress ?? '')
    )
  }
}

function hostName(host: string): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
}
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d)/i, '').toLowerCase()
}
