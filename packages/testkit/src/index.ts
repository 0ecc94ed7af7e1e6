export { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from './isolated-libvirtd.ts'
export type { IsolatedLibvirtd, IsolatedLibvirtdOptions } from './isolated-libvirtd.ts'
