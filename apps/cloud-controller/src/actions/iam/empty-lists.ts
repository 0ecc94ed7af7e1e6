/** Lists of what cannot be made here, so that there is none: clients look at them before they delete a user. */
import { userOrRoot } from '../../store/user-store.ts'
import type { ActionContext } from '../define-action.ts'
import type { IamActions } from './iam-action.ts'

const requireUser = (ctx: ActionContext, name: string | undefined) =>
  ctx.read((db) => userOrRoot(db, ctx.caller, name))

export const emptyListActions = {
  ListSSHPublicKeys: async (ctx, input) => {
    await requireUser(ctx, input.UserName)
    return { SSHPublicKeys: [], IsTruncated: false }
  },
  ListServiceSpecificCredentials: async (ctx, input) => {
    await requireUser(ctx, input.UserName)
    return { ServiceSpecificCredentials: [] }
  },
  ListSAMLProviders: () => Promise.resolve({ SAMLProviderList: [] }),
} satisfies IamActions
