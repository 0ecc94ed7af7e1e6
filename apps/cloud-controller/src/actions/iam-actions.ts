import type { IamActions } from './iam/iam-action.ts'
import type { ActionContext } from './define-action.ts'
import { accountActions } from './iam/accounts.ts'
import { accountSummaryActions } from './iam/account-summary.ts'
import { authorizationDetailActions } from './iam/authorization-details.ts'
import { credentialReportActions } from './iam/credential-report.ts'
import { accountSettingActions } from './iam/account-settings.ts'
import { accessKeyActions } from './iam/access-keys.ts'
import { emptyListActions } from './iam/empty-lists.ts'
import { groupActions } from './iam/groups.ts'
import { inlinePolicyActions } from './iam/inline-policies.ts'
import { instanceProfileActions } from './iam/instance-profiles.ts'
import { loginProfileActions } from './iam/login-profiles.ts'
import { mfaDeviceActions } from './iam/mfa-devices.ts'
import { oidcProviderActions } from './iam/oidc-providers.ts'
import { serverCertificateActions } from './iam/server-certificates.ts'
import { simulationActions } from './iam/simulate-policies.ts'
import { tagActions } from './iam/tags.ts'
import { managedPolicyActions } from './iam/managed-policies.ts'
import { attachmentActions } from './iam/policy-attachments.ts'
import { policyVersionActions } from './iam/policy-versions.ts'
import { roleActions } from './iam/roles.ts'
import {
  createSigningCertificate,
  deleteSigningCertificate,
  listSigningCertificates,
  updateSigningCertificate,
  uploadSigningCertificate,
} from './iam/signing-certificates.ts'
import { userInfoActions } from './iam/user-info.ts'
import { userActions } from './iam/users.ts'

/** Every IAM action that Mallee performs. What is not here answers `UnsupportedOperation` by its name. */
const iamActions = {
  ...userActions,
  ...groupActions,
  ...roleActions,
  ...inlinePolicyActions,
  ...managedPolicyActions,
  ...policyVersionActions,
  ...attachmentActions,
  ...instanceProfileActions,
  ...accessKeyActions,
  ...tagActions,
  ...simulationActions,
  ...emptyListActions,
  ...accountSummaryActions,
  ...authorizationDetailActions,
  ...credentialReportActions,
  ...loginProfileActions,
  ...accountSettingActions,
  ...oidcProviderActions,
  ...serverCertificateActions,
  ...mfaDeviceActions,
  DeleteSigningCertificate: deleteSigningCertificate,
  ListSigningCertificates: listSigningCertificates,
  UpdateSigningCertificate: updateSigningCertificate,
  UploadSigningCertificate: uploadSigningCertificate,
} satisfies IamActions

export type AnyIamAction = (
  ctx: ActionContext,
  input: Record<string, unknown>,
) => Promise<Record<string, unknown>>

/** What Eucalyptus adds. */
const eucalyptusActions = {
  ...accountActions,
  ...userInfoActions,
  CreateSigningCertificate: createSigningCertificate,
}

/** The same table as the door sees it: by name, with the types that the decoder vouches for. */
export const iamActionByName: ReadonlyMap<string, AnyIamAction> = new Map(
  Object.entries({ ...iamActions, ...eucalyptusActions }) as unknown as [string, AnyIamAction][],
)
