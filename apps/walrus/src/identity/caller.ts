/** Who asks, out of a verified signature and nothing else. */
export interface Caller {
  readonly accessKeyId: string
  readonly accountId: string
  readonly canonicalId: string
  readonly accountName: string
  readonly userId: string
  readonly userName: string
}

/** Who did not sign. The canonical id is the one that AWS uses for such owners of objects. */
export const anonymous: Caller = {
  accessKeyId: '',
  accountId: '',
  canonicalId: '65a011a29cdf8ec533ec3d1ccaae921c',
  accountName: '',
  userId: '',
  userName: '',
}
