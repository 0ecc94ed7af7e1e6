import type { BaseRequest, CoverageWorld } from './coverage-world.ts'

/** A new instance profile, by its name. */
async function profile(world: CoverageWorld): Promise<string> {
  const name = world.name()
  const answer = await world.cloud.call(
    'CreateInstanceProfile',
    { InstanceProfileName: name },
    { service: 'iam', version: '2010-05-08' },
  )
  if (answer.status !== 200) throw new Error(answer.body)
  return name
}

async function association(world: CoverageWorld): Promise<string> {
  const made = await world.call('AssociateIamInstanceProfile', {
    ...{ InstanceId: await world.instance(), 'IamInstanceProfile.Name': await profile(world) },
  })
  return made.iamInstanceProfileAssociation.associationId
}

/** Of the actions that give instances their roles. */
export const profileRequests: Readonly<Record<string, BaseRequest>> = {
  AssociateIamInstanceProfile: {
    request: async (world) => ({
      ...{ InstanceId: await world.instance(), 'IamInstanceProfile.Name': await profile(world) },
    }),
  },
  DescribeIamInstanceProfileAssociations: { request: () => ({}) },
  DisassociateIamInstanceProfile: {
    request: async (world) => ({ AssociationId: await association(world) }),
  },
  ReplaceIamInstanceProfileAssociation: {
    request: async (world) => ({
      ...{ AssociationId: await association(world), 'IamInstanceProfile.Name': await profile(world) },
    }),
  },
}
