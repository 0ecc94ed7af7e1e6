export interface StarterImage {
  readonly kernel: string
  readonly ramdisk: string
  readonly disk: string
}
export async function buildStarterImage(_options: { dir: string }): Promise<StarterImage> {
  throw new Error('not built yet')
}
