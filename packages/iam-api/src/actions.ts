/** Types of the inputs and outputs of STS's and IAM's actions, and Eucalyptus' own action names. */
import type { Operations as IamOperations } from '../models/iam-types.ts'
import type { Operations as StsOperations } from '../models/sts-types.ts'

export type StsTypedAction = keyof StsOperations
export type StsInput<Name extends StsTypedAction> = StsOperations[Name]['input']
export type StsOutput<Name extends StsTypedAction> = StsOperations[Name]['output']
export type StsActionTable<Context> = {
  [Name in StsTypedAction]: (context: Context, input: StsInput<Name>) => Promise<StsOutput<Name>>
}

export type IamTypedAction = keyof IamOperations
export type IamInput<Name extends IamTypedAction> = IamOperations[Name]['input']
export type IamOutput<Name extends IamTypedAction> = IamOperations[Name]['output']
export type IamActionTable<Context> = {
  [Name in IamTypedAction]: (context: Context, input: IamInput<Name>) => Promise<IamOutput<Name>>
}

/** Actions of Eucalyptus' IAM door that AWS's model does not have. */
export const eucalyptusIamActionNames: ReadonlySet<string> = new Set([
  'CreateAccount',
  'ListAccounts',
  'DeleteAccount',
  'PutAccountPolicy',
  'GetAccountPolicy',
  'DeleteAccountPolicy',
  'ListAccountPolicies',
  'GetUserInfo',
  'UpdateUserInfo',
  'GetLdapSyncStatus',
  'CreateSigningCertificate',
  'DownloadServerCertificate',
])

/** Actions of Eucalyptus' STS door that AWS's model does not have. */
export const eucalyptusStsActionNames: ReadonlySet<string> = new Set([
  'GetAccessToken',
  'GetImpersonationToken',
])
