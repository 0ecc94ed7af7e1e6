/** Who asks: only authentication makes one, so an action cannot be reached without a verified signature. */
export interface Caller {
  readonly accountId: string
  readonly accountName: string
  readonly userId: string
  readonly userName: string
  readonly accessKeyId: string
  /** The administrators' account sees everything where AWS's `verbose` id asks for it. */
  readonly isCloudAdmin: boolean
}

export function callerArn(caller: Caller): string {
  return `arn:aws:iam::${caller.accountId}:user/${caller.userName}`
}
