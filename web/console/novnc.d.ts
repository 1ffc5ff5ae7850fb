/** The part of noVNC that is used here; see its docs/API.md. */
declare module '@novnc/novnc' {
  export { RFB as default }
  class RFB extends EventTarget {
    constructor(
      target: HTMLElement,
      channel: WebSocket,
      options?: { shared?: boolean; credentials?: object },
    )
    viewOnly: boolean
    scaleViewport: boolean
    clipViewport: boolean
    resizeSession: boolean
    focusOnClick: boolean
    showDotCursor: boolean
    background: string
    qualityLevel: number
    compressionLevel: number
    disconnect(): void
    focus(): void
    blur(): void
    /** `code`: of the key on a keyboard, as in KeyboardEvent.code; `down` absent: pressed and released. */
    sendKey(keysym: number, code: string, down?: boolean): void
  }
}
