import {
  invalidParameterCombination,
  invalidSubnetCidrAssociationIdNotFound,
  missingParameter,
  unsupportedOperation,
} from '@mallee/ec2-api'
import { defineEc2Action } from '../define-action.ts'
import { requireOwned } from '../owned-networks.ts'

/**
 * Whether launches into a subnet get public addresses. Of what else there is on AWS only that may be said which is so
 * anyway. One attribute a call. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html
 */
export const modifySubnetAttribute = defineEc2Action('ModifySubnetAttribute', {
  honours: ['SubnetId', 'MapPublicIpOnLaunch.Value'],
  only: {
    'AssignIpv6AddressOnCreation.Value': [false],
    'MapCustomerOwnedIpOnLaunch.Value': [false],
    'EnableDns64.Value': [false],
    PrivateDnsHostnameTypeOnLaunch: ['ip-name'],
    'EnableResourceNameDnsARecordOnLaunch.Value': [false],
    'EnableResourceNameDnsAAAARecordOnLaunch.Value': [false],
    'DisableLniAtDeviceIndex.Value': [true],
  },
  run(ctx, input) {
    const { SubnetId: id, ...given } = input
    const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]))
    if (names.length === 0) throw missingParameter('MapPublicIpOnLaunch')
    if (names.length > 1)
      throw invalidParameterCombination(`Fields for multiple attribute types specified: ${names.join(', ')}`)
    const mapPublicIp = input.MapPublicIpOnLaunch?.Value
    return ctx.transaction(async (tx) => {
      const subnet = await requireOwned(ctx, tx.db, 'subnet', id)
      if (mapPublicIp !== undefined)
        await tx.db
          .updateTable('subnet')
          .set({ map_public_ip: mapPublicIp ? 1 : 0 })
          .where('id', '=', subnet.id)
          .execute()
      tx.touch(subnet.id)
      return {}
    })
  },
})

/** Subnets have one IPv4 block for ever; more of them are IPv6, which the cloud does not speak. */

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateSubnetCidrBlock.html */
export const associateSubnetCidrBlock = defineEc2Action('AssociateSubnetCidrBlock', {
  honours: ['SubnetId'],
  async run(ctx, input) {
    await ctx.read((db) => requireOwned(ctx, db, 'subnet', input.SubnetId))
    throw unsupportedOperation('AssociateSubnetCidrBlock')
  },
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateSubnetCidrBlock.html */
export const disassociateSubnetCidrBlock = defineEc2Action('DisassociateSubnetCidrBlock', {
  honours: ['AssociationId'],
  async run(_ctx, input) {
    throw invalidSubnetCidrAssociationIdNotFound(input.AssociationId.slice(0, 200))
  },
})
