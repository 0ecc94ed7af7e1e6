/** Who asks, out of a verified signature and nothing else. */
export interface Caller {
  readonly accessKeyId: string
  readonly accountId: string
  readonly canonicalId: string
  readonly accountName: string
  readonly userId: string
  readonly userName: string
}
