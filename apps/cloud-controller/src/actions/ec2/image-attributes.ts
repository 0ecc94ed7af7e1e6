import {
  amiInState,
  encryptedImageNotShared,
  invalidAmiAttributeItemValue,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  unsupportedParameter,
  type Ec2Input,
  type Ec2Output,
} from '@mallee/ec2-api'
import {
  forbidImage,
  makeImagePrivate,
  permitImage,
  readImagePermissions,
  requireOwnImage,
} from '../../store/image-store.ts'
import type { Tx } from '../../store/record.ts'
import type { ImageTable } from '../../store/tables.ts'
import { imageDeviceView } from '../../views/image-device-view.ts'
import { defineEc2Action } from '../define-action.ts'
import { hasEncryptedSnapshot, imageDevices } from './block-device-mappings.ts'
import { accountIdsOf, hasAll, knownAccountsOf, type Malformed, type Permission } from './permissions.ts'

/** What a request changes, whichever way it is spelt. */
interface Change {
  readonly description?: string
  readonly add: readonly Permission[]
  readonly remove: readonly Permission[]
}

/**
 * The description, or who may launch the image; in today's spelling (LaunchPermission.Add.1.UserId) and in that of the
 * first clients (Attribute, OperationType, UserId.1).
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyImageAttribute.html
 */
export const modifyImageAttribute = defineEc2Action('ModifyImageAttribute', {
  honours: [
    'ImageId',
    'Attribute',
    'Value',
    'Description.Value',
    'OperationType',
    'UserIds',
    'UserGroups',
    'LaunchPermission.Add.UserId',
    'LaunchPermission.Add.Group',
    'LaunchPermission.Remove.UserId',
    'LaunchPermission.Remove.Group',
  ],
  run(ctx, input) {
    const change = changeOf(input)
    return ctx.transaction(async (tx) => {
      const image = await requireOwnImage(tx.db, ctx.caller.accountId, input.ImageId)
      if (change.description !== undefined) {
        const description = change.description === '' ? null : change.description
        await tx.db.updateTable('image').set({ description }).where('id', '=', image.id).execute()
      } else {
        await changePermissions(tx, image, change)
      }
      tx.touch(image.id)
      return {}
    })
  },
})

function changeOf(input: Ec2Input<'ModifyImageAttribute'>): Change {
  const spelt = [
    input.LaunchPermission && {
      add: input.LaunchPermission.Add ?? [],
      remove: input.LaunchPermission.Remove ?? [],
    },
    input.Description && { description: input.Description.Value ?? '', add: [], remove: [] },
    oldSpelling(input),
  ].filter((change) => change !== undefined && change !== null)
  if (spelt.length > 1) throw invalidParameterCombination('Fields for multiple attribute types specified')
  const change: Change | undefined = spelt[0]
  if (!change) throw invalidParameterCombination('No attributes specified.')
  if (change.description !== undefined && change.description.length > 255)
    throw invalidParameterValue('The description of an image has at most 255 characters.')
  return change
}

function oldSpelling(input: Ec2Input<'ModifyImageAttribute'>): Change | null {
  const { Attribute: attribute, OperationType: operation, Value: value } = input
  const items: Permission[] = [
    ...(input.UserIds ?? []).map((UserId) => ({ UserId })),
    ...(input.UserGroups ?? []).map((Group) => ({ Group })),
  ]
  const isPermission = operation !== undefined || items.length > 0
  if (attribute === 'description' && isPermission)
    throw invalidParameterCombination('The attribute description takes a Value only.')
  if (attribute === 'launchPermission' && value !== undefined)
    throw invalidParameterCombination('The attribute launchPermission takes no Value.')
  if (attribute === 'description') {
    if (value === undefined && input.Description) return null // both spellings at once, as some clients do
    if (value === undefined) throw missingParameter('value')
    return { description: value, add: [], remove: [] }
  }
  if (attribute === 'launchPermission') {
    if (operation === undefined && items.length === 0) {
      if (input.LaunchPermission) return null
      throw missingParameter('operationType')
    }
    if (operation === undefined) throw missingParameter('operationType')
    return operation === 'add' ? { add: items, remove: [] } : { add: [], remove: items }
  }
  if (attribute !== undefined) throw unsupportedParameter(`Attribute ${attribute}`)
  if (operation !== undefined || items.length > 0 || value !== undefined) throw missingParameter('attribute')
  return null
}

async function changePermissions(tx: Tx, image: ImageTable, { add, remove }: Change): Promise<void> {
  if (image.disabled === 1) throw amiInState(image.id, 'disabled')
  if (image.state !== 'available') throw amiInState(image.id, image.state)
  const [added, removed] = [await knownAccountsOf(tx.db, add, malformed), accountIdsOf(remove, malformed)]
  if (add.length > 0 && (await hasEncryptedSnapshot(tx.db, image.id))) throw encryptedImageNotShared()
  await forbidImage(tx, image.id, removed)
  await permitImage(tx, image.id, added)
  const isPublic = hasAll(add) ? 1 : hasAll(remove) ? 0 : image.is_public
  await tx.db.updateTable('image').set({ is_public: isPublic }).where('id', '=', image.id).execute()
}

const malformed: Malformed = (value, parameter) =>
  invalidAmiAttributeItemValue(value, parameter === 'group' ? 'userGroup' : parameter)

const valueOf = (value: string | null) => (value === null ? {} : { Value: value })

/** One attribute at a time, of an image of one's own. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageAttribute.html */
export const describeImageAttribute = defineEc2Action('DescribeImageAttribute', {
  honours: ['ImageId', 'Attribute'],
  run: (ctx, input) =>
    ctx.read(async (db): Promise<Ec2Output<'DescribeImageAttribute'>> => {
      const image = await requireOwnImage(db, ctx.caller.accountId, input.ImageId)
      const named = { ImageId: image.id }
      switch (input.Attribute) {
        case 'description':
          return { ...named, Description: valueOf(image.description) }
        case 'kernel':
          return { ...named, KernelId: valueOf(image.kernel_id) }
        case 'ramdisk':
          return { ...named, RamdiskId: valueOf(image.ramdisk_id) }
        case 'launchPermission': {
          const accounts = (await readImagePermissions(db, [image.id])).get(image.id) ?? []
          return {
            ...named,
            LaunchPermissions: [
              ...(image.is_public === 1 ? [{ Group: 'all' as const }] : []),
              ...accounts.map((UserId) => ({ UserId })),
            ],
          }
        }
        case 'productCodes':
          return { ...named, ProductCodes: [] }
        case 'blockDeviceMapping':
          return { ...named, BlockDeviceMappings: (await imageDevices(db, image.id)).map(imageDeviceView) }
        case 'sriovNetSupport':
          return {
            ...named,
            SriovNetSupport: image.sriov_net_support === null ? {} : { Value: image.sriov_net_support },
          }
        // What no image here has: present, and without a value.
        case 'bootMode':
          return { ...named, BootMode: {} }
        case 'tpmSupport':
          return { ...named, TpmSupport: {} }
        case 'uefiData':
          return { ...named, UefiData: {} }
        case 'imdsSupport':
          return { ...named, ImdsSupport: {} }
        case 'deregistrationProtection':
          return { ...named, DeregistrationProtection: { Value: 'disabled' } }
        default:
          throw unsupportedParameter(`Attribute ${input.Attribute}`)
      }
    }),
})

/** Back to the owner alone. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetImageAttribute.html */
export const resetImageAttribute = defineEc2Action('ResetImageAttribute', {
  honours: ['ImageId', 'Attribute'],
  run(ctx, input) {
    if (input.Attribute !== 'launchPermission') throw unsupportedParameter(`Attribute ${input.Attribute}`)
    return ctx.transaction(async (tx) => {
      const image = await requireOwnImage(tx.db, ctx.caller.accountId, input.ImageId)
      await makeImagePrivate(tx, image.id)
      tx.touch(image.id)
      return {}
    })
  },
})
