/** What Eucalyptus' IAM door has and AWS's lacks, as an addition to AWS's model, written by hand. */
import type { OperationModel, ServiceModel, ShapeModel } from '@mallee/aws-protocol'

const request = (name: string): OperationModel => ({ in: `${name}Request` })
const both = (name: string): OperationModel => ({ in: `${name}Request`, out: `${name}Response` })

const operations: Readonly<Record<string, OperationModel>> = {
  CreateSigningCertificate: both('CreateSigningCertificate'),
  CreateAccount: both('CreateAccount'),
  ListAccounts: both('ListAccounts'),
  DeleteAccount: request('DeleteAccount'),
  PutAccountPolicy: request('PutAccountPolicy'),
  GetAccountPolicy: both('GetAccountPolicy'),
  DeleteAccountPolicy: request('DeleteAccountPolicy'),
  ListAccountPolicies: both('ListAccountPolicies'),
  GetUserInfo: both('GetUserInfo'),
  UpdateUserInfo: request('UpdateUserInfo'),
  GetLdapSyncStatus: both('GetLdapSyncStatus'),
}

type Members = Extract<ShapeModel, { readonly members: unknown }>['members']
type Member = Members[string]
const struct = (members: Members): ShapeModel => ({ kind: 'struct', members }) as ShapeModel
const needed = (shape: string): Member => [shape, 0, { required: 1 }]
const user: Members = { UserName: ['existingUserNameType'] }
const account: Members = { AccountName: needed('accountNameType') }
const accountPolicy: Members = { ...account, PolicyName: needed('policyNameType') }

const shapes: Readonly<Record<string, ShapeModel>> = {
  /** A name, an alias or an id. */
  accountNameType: { kind: 'string', min: 1, max: 63, pattern: '[\\w+=,.@-]+' },
  infoKeyType: { kind: 'string', min: 1, max: 128 },
  infoValueType: { kind: 'string', max: 1024 },
  CreateSigningCertificateRequest: struct(user),
  CreateSigningCertificateResponse: struct({ Certificate: needed('SigningCertificateWithKey') }),
  SigningCertificateWithKey: struct({
    UserName: needed('userNameType'),
    CertificateId: needed('certificateIdType'),
    CertificateBody: needed('certificateBodyType'),
    PrivateKey: ['string', 0, { required: 1, sensitive: 1 }],
    Status: needed('statusType'),
    UploadDate: ['timestamp'],
  }),
  EucalyptusAccount: struct({ AccountName: ['string'], AccountId: ['string'], CreateDate: ['timestamp'] }),
  EucalyptusAccounts: { kind: 'list', of: 'EucalyptusAccount' },
  CreateAccountRequest: struct({ AccountName: ['accountNameType'] }),
  CreateAccountResponse: struct({ Account: ['EucalyptusAccount'] }),
  ListAccountsRequest: struct({}),
  ListAccountsResponse: struct({ Accounts: ['EucalyptusAccounts'] }),
  DeleteAccountRequest: struct({ ...account, Recursive: ['boolean'] }),
  PutAccountPolicyRequest: struct({ ...accountPolicy, PolicyDocument: needed('policyDocumentType') }),
  GetAccountPolicyRequest: struct(accountPolicy),
  GetAccountPolicyResponse: struct({ ...accountPolicy, PolicyDocument: needed('policyDocumentType') }),
  DeleteAccountPolicyRequest: struct(accountPolicy),
  ListAccountPoliciesRequest: struct({ ...account, Marker: ['markerType'], MaxItems: ['maxItemsType'] }),
  ListAccountPoliciesResponse: struct({
    PolicyNames: needed('policyNameListType'),
    IsTruncated: ['boolean'],
    Marker: ['string'],
  }),
  EucalyptusInfo: struct({ Key: ['string'], Value: ['string'] }),
  EucalyptusInfos: { kind: 'list', of: 'EucalyptusInfo' },
  GetUserInfoRequest: struct({ ...user, InfoKey: ['infoKeyType'] }),
  GetUserInfoResponse: struct({ Infos: ['EucalyptusInfos'] }),
  UpdateUserInfoRequest: struct({ ...user, InfoKey: needed('infoKeyType'), InfoValue: ['infoValueType'] }),
  GetLdapSyncStatusRequest: struct({}),
  GetLdapSyncStatusResponse: struct({ SyncEnabled: ['boolean'], InSync: ['boolean'] }),
}

/** Inputs and outputs of these actions. */
export interface CreateSigningCertificateRequest {
  UserName?: string | undefined
}
export interface CreateSigningCertificateResponse {
  Certificate: {
    UserName: string
    CertificateId: string
    CertificateBody: string
    /** PKCS#8, PEM */
    PrivateKey: string
    Status: 'Active'
    UploadDate: Date
  }
}

export interface AccountNamed {
  /** Its name, its alias or its id. */
  AccountName: string
}
export interface EucalyptusAccount {
  AccountName: string
  AccountId: string
  CreateDate: Date
}
export interface AccountPolicyNamed extends AccountNamed {
  PolicyName: string
}
export interface UserInfoNamed {
  UserName?: string | undefined
  InfoKey?: string | undefined
}

/** Inputs and outputs of the calls about accounts, and of the free texts about users. */
export interface EucalyptusIamOperations {
  CreateAccount: { input: { AccountName?: string | undefined }; output: { Account: EucalyptusAccount } }
  ListAccounts: { input: object; output: { Accounts: EucalyptusAccount[] } }
  DeleteAccount: { input: AccountNamed & { Recursive?: boolean | undefined }; output: void }
  PutAccountPolicy: { input: AccountPolicyNamed & { PolicyDocument: string }; output: void }
  GetAccountPolicy: {
    input: AccountPolicyNamed
    output: AccountPolicyNamed & { PolicyDocument: string }
  }
  DeleteAccountPolicy: { input: AccountPolicyNamed; output: void }
  ListAccountPolicies: {
    input: AccountNamed & { Marker?: string | undefined; MaxItems?: number | undefined }
    output: { PolicyNames: string[]; IsTruncated: boolean; Marker?: string | undefined }
  }
  GetUserInfo: { input: UserInfoNamed; output: { Infos: { Key: string; Value: string }[] } }
  UpdateUserInfo: {
    input: { UserName?: string | undefined; InfoKey: string; InfoValue?: string | undefined }
    output: void
  }
  GetLdapSyncStatus: { input: object; output: { SyncEnabled: boolean; InSync: boolean } }
}

export function withEucalyptusActions(model: ServiceModel): ServiceModel {
  return {
    ...model,
    operations: { ...model.operations, ...operations },
    shapes: { ...model.shapes, ...shapes },
  }
}
