import { AwsError } from '@mallee/aws-protocol'
import { incorrectState, missingParameter, type Ec2 } from '@mallee/ec2-api'
import type { ProfileAssociationTable } from '../../store/identity-tables.ts'
import {
  associateProfile,
  dropProfileOf,
  profilesOf,
  requireProfile,
  type ProfileOfInstance,
} from '../../store/profile-association-store.ts'
import type { Reader } from '../../store/record.ts'
import { defineEc2Action, type ActionContext } from '../define-action.ts'
import { describeThings } from '../describe-things.ts'
import { filterNames, type FilterFields } from '../filters.ts'
import { requireInstances } from '../require-instances.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html */
export const associateIamInstanceProfile = defineEc2Action('AssociateIamInstanceProfile', {
  honours: ['InstanceId', 'IamInstanceProfile.Arn', 'IamInstanceProfile.Name'],
  async run(ctx, input) {
    if (!input.IamInstanceProfile) throw missingParameter('IamInstanceProfile')
    return ctx.transaction(async (tx) => {
      const [instance] = await requireInstances(ctx, tx.db, [input.InstanceId])
      if (instance!.state === 'terminated' || instance!.state === 'shutting-down')
        throw incorrectState(`The instance ${instance!.id} is ${instance!.state}.`)
      if ((await profilesOf(tx.db, [instance!.id])).size > 0)
        throw incorrectState(`There is an existing association for instance ${instance!.id}`)
      const profile = await requireProfile(tx.db, ctx.caller.accountId, input.IamInstanceProfile!)
      const row = await associateProfile(tx, ctx.wakes, { instanceId: instance!.id, profile, ...ctx })
      tx.touch(instance!.id, row.id)
      return { IamInstanceProfileAssociation: await shown(tx.db, row, 'associating') }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateIamInstanceProfile.html */
export const disassociateIamInstanceProfile = defineEc2Action('DisassociateIamInstanceProfile', {
  honours: ['AssociationId'],
  run(ctx, input) {
    return ctx.transaction(async (tx) => {
      const row = await requireAssociation(ctx, tx.db, input.AssociationId)
      const association = await shown(tx.db, row, 'disassociating')
      await dropProfileOf(tx, row.instance_id)
      tx.afterCommit(() => ctx.wakes.instance(row.instance_id))
      tx.touch(row.instance_id, row.id)
      return { IamInstanceProfileAssociation: association }
    })
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html */
export const replaceIamInstanceProfileAssociation = defineEc2Action('ReplaceIamInstanceProfileAssociation', {
  honours: ['AssociationId', 'IamInstanceProfile.Arn', 'IamInstanceProfile.Name'],
  run(ctx, input) {
    if (!input.IamInstanceProfile) throw missingParameter('IamInstanceProfile')
    return ctx.transaction(async (tx) => {
      const old = await requireAssociation(ctx, tx.db, input.AssociationId)
      const profile = await requireProfile(tx.db, ctx.caller.accountId, input.IamInstanceProfile!)
      await dropProfileOf(tx, old.instance_id)
      const row = await associateProfile(tx, ctx.wakes, { instanceId: old.instance_id, profile, ...ctx })
      tx.touch(row.instance_id, old.id, row.id)
      return { IamInstanceProfileAssociation: await shown(tx.db, row, 'associating') }
    })
  },
})

const fields: FilterFields<ProfileOfInstance> = {
  'instance-id': ({ association }) => [association.instance_id],
  state: ({ association }) => [association.state],
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeIamInstanceProfileAssociations.html */
export const describeIamInstanceProfileAssociations = defineEc2Action(
  'DescribeIamInstanceProfileAssociations',
  {
    honours: ['AssociationIds', 'Filters', 'MaxResults', 'NextToken'],
    filters: filterNames(fields, { tagged: false }),
    run(ctx, input) {
      return ctx.read(async (db) => {
        const ids = input.AssociationIds ?? []
        const own = await db
          .selectFrom('iam_profile_association')
          .selectAll()
          .where('account_id', '=', ctx.caller.accountId)
          .orderBy('id')
          .execute()
        const missing = ids.find((id) => !own.some((row) => row.id === id))
        if (missing !== undefined) throw noAssociation(missing)
        const asked = ids.length === 0 ? own : own.filter((row) => ids.includes(row.id))
        const known = await profilesOf(
          db,
          asked.map((row) => row.instance_id),
        )
        const { views, nextToken } = await describeThings(ctx, db, input, {
          things: [...known.values()],
          idOf: ({ association }) => association.id,
          tagged: false,
          fields,
          exclusiveIds: ids.length > 0,
          view: (one) => associationView(one, one.association.state),
        })
        return { IamInstanceProfileAssociations: views, NextToken: nextToken }
      })
    },
  },
)

const noAssociation = (id: string) =>
  new AwsError('InvalidAssociationID.NotFound', `The association ID '${id.slice(0, 64)}' does not exist`)

async function requireAssociation(
  ctx: ActionContext,
  db: Reader,
  id: string,
): Promise<ProfileAssociationTable> {
  const row = await db
    .selectFrom('iam_profile_association')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', ctx.caller.accountId)
    .executeTakeFirst()
  if (!row) throw noAssociation(id)
  return row
}

async function shown(
  db: Reader,
  row: ProfileAssociationTable,
  state: Ec2.IamInstanceProfileAssociationState,
): Promise<Ec2.IamInstanceProfileAssociation> {
  const one = (await profilesOf(db, [row.instance_id])).get(row.instance_id)!
  return associationView(one, state)
}

function associationView(
  { association, profile }: ProfileOfInstance,
  state: Ec2.IamInstanceProfileAssociationState,
): Ec2.IamInstanceProfileAssociation {
  return {
    AssociationId: association.id,
    InstanceId: association.instance_id,
    IamInstanceProfile: { Arn: profile.arn, Id: profile.id },
    State: state,
    Timestamp: new Date(association.changed_at),
  }
}
