/** AWS's quotas of IAM. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const iamQuotas = {
  users: 5000,
  groups: 300,
  groupsPerUser: 10,
  roles: 1000,
  instanceProfiles: 1000,
  policies: 1500,
  versionsPerPolicy: 5,
  attachedPolicies: 10,
  serverCertificates: 20,
  oidcProviders: 100,
  mfaDevicesPerUser: 8,
  accessKeysPerUser: 2,
  signingCertificatesPerUser: 2,
  /** In characters without white space. */
  userPolicySize: 2048,
  groupPolicySize: 5120,
  rolePolicySize: 10_240,
  policySize: 6144,
  trustPolicySize: 2048,
} as const
