import type { DomainItem, GuestInterface } from './desired.ts'

/** The image that it was launched from, whether it boots from a copy of it or from a volume. */
export function imageIdOf(item: DomainItem): string {
  return item.machine?.imageId ?? item.imageId ?? ''
}

export function primaryInterface(item: DomainItem): GuestInterface | null {
  return item.interfaces.find((entry) => entry.deviceIndex === 0) ?? null
}

/**
 * What an instance shows to prove who it is: written here once, for the cloud that signs it and for the node.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 */
export function identityDocument(item: DomainItem): string {
  const document = {
    accountId: item.accountId,
    architecture: item.architecture,
    availabilityZone: item.availabilityZone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: imageIdOf(item),
    instanceId: item.instanceId,
    instanceType: item.instanceType,
    kernelId: item.kernel?.imageId ?? null,
    pendingTime: new Date(item.launchTimeMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    privateIp: primaryInterface(item)?.privateIp ?? null,
    ramdiskId: item.ramdisk?.imageId ?? null,
    region: item.region,
    version: '2017-09-30',
  }
  return JSON.stringify(document, null, 2)
}
