import { unsupportedForInstanceStore } from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/**
 * An instance that lives in an instance store ends with its domain: it can be neither stopped nor started, as on AWS.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
 */
export const stopInstances = defineEc2Action('StopInstances', {
  honours: ['InstanceIds', 'Force'],
  only: { Hibernate: [false] },
  async run(ctx, input) {
    const found = await ctx.read((db) => requireInstances(ctx, db, input.InstanceIds))
    const [first] = found
    throw unsupportedForInstanceStore(first!.id, input.Force === true ? 'stopped by force' : 'stopped')
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html */
export const startInstances = defineEc2Action('StartInstances', {
  honours: ['InstanceIds'],
  async run(ctx, input) {
    const [first] = await ctx.read((db) => requireInstances(ctx, db, input.InstanceIds))
    throw unsupportedForInstanceStore(first!.id, 'started')
  },
})
