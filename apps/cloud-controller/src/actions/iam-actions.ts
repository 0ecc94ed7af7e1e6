import type { IamInput, IamOutput, IamTypedAction } from '@mallee/iam-api'
import type { ActionContext } from './define-action.ts'
import {
  createSigningCertificate,
  deleteSigningCertificate,
  listSigningCertificates,
  updateSigningCertificate,
  uploadSigningCertificate,
} from './iam/signing-certificates.ts'

type IamAction<N extends IamTypedAction> = (ctx: ActionContext, input: IamInput<N>) => Promise<IamOutput<N>>

/** Every IAM action that Mallee performs. What is not here answers `UnsupportedOperation` by its name. */
const iamActions = {
  DeleteSigningCertificate: deleteSigningCertificate,
  ListSigningCertificates: listSigningCertificates,
  UpdateSigningCertificate: updateSigningCertificate,
  UploadSigningCertificate: uploadSigningCertificate,
} satisfies { [N in IamTypedAction]?: IamAction<N> }

export type AnyIamAction = (
  ctx: ActionContext,
  input: Record<string, unknown>,
) => Promise<Record<string, unknown>>

/** The same table as the door sees it: by name, with the types that the decoder vouches for. */
export const iamActionByName: ReadonlyMap<string, AnyIamAction> = new Map(
  Object.entries({ ...iamActions, CreateSigningCertificate: createSigningCertificate }) as unknown as [
    string,
    AnyIamAction,
  ][],
)
