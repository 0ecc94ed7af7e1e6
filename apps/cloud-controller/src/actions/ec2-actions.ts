import type { Ec2TypedAction } from '@mallee/ec2-api'
import type { AnyAction, Ec2Action } from './define-action.ts'
import { networkActions } from './network-actions.ts'
import {
  disableEbsEncryptionByDefault,
  enableEbsEncryptionByDefault,
  getEbsDefaultKmsKeyId,
  getEbsEncryptionByDefault,
  modifyEbsDefaultKmsKeyId,
  resetEbsDefaultKmsKeyId,
} from './ec2/ebs-encryption.ts'
import { describeInstances } from './ec2/describe-instances.ts'
import { getConsoleScreenshot } from './ec2/get-console-screenshot.ts'
import { getPasswordData } from './ec2/get-password-data.ts'
import { getConsoleOutput } from './ec2/get-console-output.ts'
import { copyImage } from './ec2/copy-image.ts'
import { describeImages } from './ec2/describe-images.ts'
import { describeImageAttribute, modifyImageAttribute, resetImageAttribute } from './ec2/image-attributes.ts'
import {
  disableImage,
  disableImageDeprecation,
  enableImage,
  enableImageDeprecation,
} from './ec2/image-states.ts'
import { cancelExportTask, describeExportTasks, describeFpgaImages } from './ec2/image-tasks.ts'
import { bundleInstance, cancelBundleTask, describeBundleTasks } from './ec2/bundle-instance.ts'
import {
  associateIamInstanceProfile,
  describeIamInstanceProfileAssociations,
  disassociateIamInstanceProfile,
  replaceIamInstanceProfileAssociation,
} from './ec2/instance-profile-associations.ts'
import { importImage } from './ec2/import-image.ts'
import { describeImportSnapshotTasks, importSnapshot } from './ec2/import-snapshot.ts'
import { cancelConversionTask, describeConversionTasks } from './ec2/conversion-tasks.ts'
import { importInstance } from './ec2/import-instance.ts'
import { importVolume } from './ec2/import-volume.ts'
import { cancelImportTask, describeImportImageTasks } from './ec2/import-tasks.ts'
import { deregisterImage, registerImage } from './ec2/register-image.ts'
import { describeInstanceStatus } from './ec2/instance-status.ts'
import { describeInstanceTypes } from './ec2/instance-types.ts'
import { createKeyPair, deleteKeyPair, describeKeyPairs, importKeyPair } from './ec2/key-pairs.ts'
import { deleteLaunchTemplateVersions } from './ec2/delete-launch-template-versions.ts'
import { getLaunchTemplateData } from './ec2/get-launch-template-data.ts'
import {
  describeAggregateIdFormat,
  describeIdentityIdFormat,
  describeIdFormat,
  describePrincipalIdFormat,
  modifyIdentityIdFormat,
  modifyIdFormat,
} from './ec2/id-format.ts'
import { describeInstanceTypeOfferings } from './ec2/instance-type-offerings.ts'
import {
  createLaunchTemplateVersion,
  describeLaunchTemplateVersions,
} from './ec2/launch-template-versions.ts'
import {
  createLaunchTemplate,
  deleteLaunchTemplate,
  describeLaunchTemplates,
  modifyLaunchTemplate,
} from './ec2/launch-templates.ts'
import { modifyInstancePlacement } from './ec2/modify-instance-placement.ts'
import {
  createPlacementGroup,
  deletePlacementGroup,
  describePlacementGroups,
} from './ec2/placement-groups.ts'
import { rebootInstances } from './ec2/reboot-instances.ts'
import {
  confirmProductInstance,
  describeElasticGpus,
  describeInstanceCreditSpecifications,
  getInstanceUefiData,
} from './ec2/absent-features.ts'
import { describeInstanceAttribute } from './ec2/describe-instance-attribute.ts'
import { modifyInstanceAttribute, resetInstanceAttribute } from './ec2/modify-instance-attribute.ts'
import { modifyInstanceMetadataOptions } from './ec2/modify-instance-metadata-options.ts'
import { monitorInstances, unmonitorInstances } from './ec2/monitor-instances.ts'
import { reportInstanceStatus } from './ec2/report-instance-status.ts'
import { startInstances, stopInstances } from './ec2/start-stop-instances.ts'
import { runInstances } from './ec2/run-instances.ts'
import {
  authorizeSecurityGroupEgress,
  authorizeSecurityGroupIngress,
  describeSecurityGroupRules,
  revokeSecurityGroupEgress,
  revokeSecurityGroupIngress,
} from './ec2/security-group-rules.ts'
import {
  modifySecurityGroupRules,
  updateSecurityGroupRuleDescriptionsEgress,
  updateSecurityGroupRuleDescriptionsIngress,
} from './ec2/modify-security-group-rules.ts'
import {
  describeSecurityGroupReferences,
  describeStaleSecurityGroups,
  getSecurityGroupsForVpc,
} from './ec2/security-group-references.ts'
import { createSecurityGroup, deleteSecurityGroup, describeSecurityGroups } from './ec2/security-groups.ts'
import { createTags, deleteTags, describeTags } from './ec2/tags.ts'
import { terminateInstances } from './ec2/terminate-instances.ts'
import {
  describeAccountAttributes,
  describeAvailabilityZones,
  describeRegions,
} from './ec2/zones-and-regions.ts'
import { attachVolume, detachVolume } from './ec2/attach-volume.ts'
import { createImage } from './ec2/create-image.ts'
import { describeSnapshots } from './ec2/describe-snapshots.ts'
import { describeVolumesModifications, modifyVolume } from './ec2/modify-volume.ts'
import {
  describeSnapshotAttribute,
  modifySnapshotAttribute,
  resetSnapshotAttribute,
} from './ec2/snapshot-attributes.ts'
import { copySnapshot, createSnapshot, createSnapshots, deleteSnapshot } from './ec2/snapshots.ts'
import {
  describeVolumeAttribute,
  describeVolumeStatus,
  enableVolumeIO,
  modifyVolumeAttribute,
} from './ec2/volume-status.ts'
import { createVolume, deleteVolume, describeVolumes } from './ec2/volumes.ts'

/** Every EC2 action that Mallee performs. What is not here answers `UnsupportedOperation` by its name. */
export const ec2Actions = {
  ...networkActions,
  AssociateIamInstanceProfile: associateIamInstanceProfile,
  AttachVolume: attachVolume,
  AuthorizeSecurityGroupEgress: authorizeSecurityGroupEgress,
  AuthorizeSecurityGroupIngress: authorizeSecurityGroupIngress,
  BundleInstance: bundleInstance,
  CancelBundleTask: cancelBundleTask,
  CancelConversionTask: cancelConversionTask,
  CancelExportTask: cancelExportTask,
  CancelImportTask: cancelImportTask,
  ConfirmProductInstance: confirmProductInstance,
  CopyImage: copyImage,
  CopySnapshot: copySnapshot,
  CreateImage: createImage,
  CreateKeyPair: createKeyPair,
  CreateLaunchTemplate: createLaunchTemplate,
  CreateLaunchTemplateVersion: createLaunchTemplateVersion,
  CreatePlacementGroup: createPlacementGroup,
  CreateSecurityGroup: createSecurityGroup,
  CreateSnapshot: createSnapshot,
  CreateSnapshots: createSnapshots,
  CreateTags: createTags,
  CreateVolume: createVolume,
  DeleteKeyPair: deleteKeyPair,
  DeleteLaunchTemplate: deleteLaunchTemplate,
  DeleteLaunchTemplateVersions: deleteLaunchTemplateVersions,
  DeletePlacementGroup: deletePlacementGroup,
  DeleteSecurityGroup: deleteSecurityGroup,
  DeleteSnapshot: deleteSnapshot,
  DeleteTags: deleteTags,
  DeleteVolume: deleteVolume,
  DeregisterImage: deregisterImage,
  DescribeAccountAttributes: describeAccountAttributes,
  DescribeAggregateIdFormat: describeAggregateIdFormat,
  DescribeAvailabilityZones: describeAvailabilityZones,
  DescribeBundleTasks: describeBundleTasks,
  DescribeConversionTasks: describeConversionTasks,
  DescribeElasticGpus: describeElasticGpus,
  DescribeExportTasks: describeExportTasks,
  DescribeFpgaImages: describeFpgaImages,
  DescribeIamInstanceProfileAssociations: describeIamInstanceProfileAssociations,
  DescribeIdFormat: describeIdFormat,
  DescribeIdentityIdFormat: describeIdentityIdFormat,
  DescribeImageAttribute: describeImageAttribute,
  DescribeImages: describeImages,
  DescribeImportImageTasks: describeImportImageTasks,
  DescribeImportSnapshotTasks: describeImportSnapshotTasks,
  DescribeInstanceAttribute: describeInstanceAttribute,
  DescribeInstanceCreditSpecifications: describeInstanceCreditSpecifications,
  DescribeInstanceStatus: describeInstanceStatus,
  DescribeInstanceTypeOfferings: describeInstanceTypeOfferings,
  DescribeInstanceTypes: describeInstanceTypes,
  DescribeInstances: describeInstances,
  DescribeKeyPairs: describeKeyPairs,
  DescribeLaunchTemplateVersions: describeLaunchTemplateVersions,
  DescribeLaunchTemplates: describeLaunchTemplates,
  DescribePlacementGroups: describePlacementGroups,
  DescribePrincipalIdFormat: describePrincipalIdFormat,
  DescribeRegions: describeRegions,
  DescribeSecurityGroupReferences: describeSecurityGroupReferences,
  DescribeSecurityGroupRules: describeSecurityGroupRules,
  DescribeSecurityGroups: describeSecurityGroups,
  DescribeStaleSecurityGroups: describeStaleSecurityGroups,
  DescribeSnapshotAttribute: describeSnapshotAttribute,
  DescribeSnapshots: describeSnapshots,
  DescribeTags: describeTags,
  DescribeVolumeAttribute: describeVolumeAttribute,
  DescribeVolumeStatus: describeVolumeStatus,
  DescribeVolumes: describeVolumes,
  DescribeVolumesModifications: describeVolumesModifications,
  DetachVolume: detachVolume,
  DisableImage: disableImage,
  DisableImageDeprecation: disableImageDeprecation,
  EnableImage: enableImage,
  EnableImageDeprecation: enableImageDeprecation,
  DisassociateIamInstanceProfile: disassociateIamInstanceProfile,
  EnableEbsEncryptionByDefault: enableEbsEncryptionByDefault,
  DisableEbsEncryptionByDefault: disableEbsEncryptionByDefault,
  GetEbsEncryptionByDefault: getEbsEncryptionByDefault,
  GetEbsDefaultKmsKeyId: getEbsDefaultKmsKeyId,
  ModifyEbsDefaultKmsKeyId: modifyEbsDefaultKmsKeyId,
  ReplaceIamInstanceProfileAssociation: replaceIamInstanceProfileAssociation,
  ResetEbsDefaultKmsKeyId: resetEbsDefaultKmsKeyId,
  EnableVolumeIO: enableVolumeIO,
  GetConsoleOutput: getConsoleOutput,
  GetConsoleScreenshot: getConsoleScreenshot,
  GetInstanceUefiData: getInstanceUefiData,
  GetLaunchTemplateData: getLaunchTemplateData,
  GetPasswordData: getPasswordData,
  GetSecurityGroupsForVpc: getSecurityGroupsForVpc,
  ImportImage: importImage,
  ImportSnapshot: importSnapshot,
  ImportInstance: importInstance,
  ImportVolume: importVolume,
  ImportKeyPair: importKeyPair,
  ModifyIdFormat: modifyIdFormat,
  ModifyIdentityIdFormat: modifyIdentityIdFormat,
  ModifyImageAttribute: modifyImageAttribute,
  ModifyInstanceAttribute: modifyInstanceAttribute,
  ModifyInstanceMetadataOptions: modifyInstanceMetadataOptions,
  ModifyInstancePlacement: modifyInstancePlacement,
  ModifyLaunchTemplate: modifyLaunchTemplate,
  ModifySecurityGroupRules: modifySecurityGroupRules,
  ModifySnapshotAttribute: modifySnapshotAttribute,
  ModifyVolume: modifyVolume,
  ModifyVolumeAttribute: modifyVolumeAttribute,
  MonitorInstances: monitorInstances,
  RebootInstances: rebootInstances,
  RegisterImage: registerImage,
  ReportInstanceStatus: reportInstanceStatus,
  ResetImageAttribute: resetImageAttribute,
  ResetInstanceAttribute: resetInstanceAttribute,
  ResetSnapshotAttribute: resetSnapshotAttribute,
  RevokeSecurityGroupEgress: revokeSecurityGroupEgress,
  RevokeSecurityGroupIngress: revokeSecurityGroupIngress,
  RunInstances: runInstances,
  StartInstances: startInstances,
  StopInstances: stopInstances,
  TerminateInstances: terminateInstances,
  UnmonitorInstances: unmonitorInstances,
  UpdateSecurityGroupRuleDescriptionsEgress: updateSecurityGroupRuleDescriptionsEgress,
  UpdateSecurityGroupRuleDescriptionsIngress: updateSecurityGroupRuleDescriptionsIngress,
} satisfies { [N in Ec2TypedAction]?: Ec2Action<N> }

/** The same table as the door sees it: by name, with the types that the decoder vouches for. */
export const ec2ActionByName: ReadonlyMap<string, AnyAction> = new Map(
  Object.entries(ec2Actions) as unknown as [string, AnyAction][],
)
