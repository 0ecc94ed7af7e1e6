import type { MetadataOptions } from '@mallee/agent-contract'
import type { Ec2 } from '@mallee/ec2-api'
import { readInstanceRows } from '../../views/read-instances.ts'
import type { InstanceRows } from '../../views/instance-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { requireInstances } from '../require-instances.ts'

/**
 * An instance as a template that would launch another like it: only what a template may say here, so that the answer
 * can be given back to CreateLaunchTemplate as it is. Its own addresses are left out, which a second one cannot have.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetLaunchTemplateData.html
 */
export const getLaunchTemplateData = defineEc2Action('GetLaunchTemplateData', {
  honours: ['InstanceId'],
  async run(ctx, input) {
    return ctx.read(async (db) => {
      const instances = await requireInstances(ctx, db, [input.InstanceId])
      const [rows] = await readInstanceRows(db, ctx.scope, instances)
      return { LaunchTemplateData: templateOf(rows!) }
    })
  },
})

function templateOf({
  instance,
  interfaces,
  placementGroup,
  tags,
}: InstanceRows): Ec2.ResponseLaunchTemplateData {
  const options = JSON.parse(instance.metadata_options) as MetadataOptions
  const card = interfaces.find((entry) => entry.device_index === 0)
  const own = tags.filter((tag) => !tag.Key.startsWith('aws:'))
  return {
    ImageId: instance.image_id,
    InstanceType: instance.instance_type,
    ...(instance.kernel_id ? { KernelId: instance.kernel_id } : {}),
    ...(instance.ramdisk_id ? { RamDiskId: instance.ramdisk_id } : {}),
    ...(instance.key_name ? { KeyName: instance.key_name } : {}),
    ...(instance.user_data ? { UserData: instance.user_data } : {}),
    EbsOptimized: false,
    Monitoring: { Enabled: instance.monitoring === 1 },
    Placement: {
      AvailabilityZone: instance.availability_zone,
      ...(placementGroup ? { GroupName: placementGroup.name } : {}),
      ...(instance.partition_number === null ? {} : { PartitionNumber: instance.partition_number }),
      Tenancy: 'default',
    },
    ...(card
      ? {
          NetworkInterfaces: [
            {
              DeviceIndex: 0,
              SubnetId: card.subnet_id,
              Groups: card.groups.map((group) => group.id),
              AssociatePublicIpAddress: card.public_ip !== null,
              DeleteOnTermination: true,
            },
          ],
        }
      : {}),
    DisableApiTermination: instance.api_termination_disabled === 1,
    DisableApiStop: instance.api_stop_disabled === 1,
    InstanceInitiatedShutdownBehavior: instance.shutdown_behavior,
    MetadataOptions: {
      HttpTokens: options.tokensRequired ? 'required' : 'optional',
      HttpPutResponseHopLimit: options.hopLimit,
      HttpEndpoint: options.endpointEnabled ? 'enabled' : 'disabled',
      HttpProtocolIpv6: 'disabled',
      InstanceMetadataTags: options.tagsEnabled ? 'enabled' : 'disabled',
    },
    HibernationOptions: { Configured: false },
    EnclaveOptions: { Enabled: false },
    ...(own.length > 0 ? { TagSpecifications: [{ ResourceType: 'instance', Tags: own }] } : {}),
  }
}
