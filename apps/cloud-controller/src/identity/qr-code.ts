export function qrCodePng(_text: string): Uint8Array {
  throw new Error('not yet')
}
