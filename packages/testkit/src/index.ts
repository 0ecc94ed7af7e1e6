export { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from './isolated-libvirtd.ts'
export type { IsolatedLibvirtd, IsolatedLibvirtdOptions } from './isolated-libvirtd.ts'
export { startPrivatePostgres, whyNoPostgres, type PrivatePostgres } from './private-postgres.ts'
