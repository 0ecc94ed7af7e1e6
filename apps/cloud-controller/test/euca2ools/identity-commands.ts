import { createSigningCertificate } from '@mallee/pki'
import { codeOf, stepAt } from '../../src/identity/totp.ts'
import { walk } from './client-answers.ts'
import { command, type Command, type Step } from './command.ts'

/** Requests of euca2ools 3.4's euare commands, with what each looks up in the answer. */
const iam = (
  action: string,
  send: Step['send'] | Record<string, string> = {},
  more: Partial<Step> = {},
): Step => ({
  action,
  service: 'iam',
  send: typeof send === 'function' ? send : () => send,
  ...more,
})

const document = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'ec2:Describe*', Resource: '*' }],
})
const quota = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Limit',
      Action: 'ec2:RunInstances',
      Resource: '*',
      Condition: { NumericLessThanEquals: { 'ec2:quota-vminstancenumber': '8' } },
    },
  ],
})
const trust = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
})

const user = { UserName: 'clerk' }
const group = { GroupName: 'clerks' }
const role = { RoleName: 'desk' }
const profile = { InstanceProfileName: 'desk' }
const policy = { PolicyName: 'look', PolicyDocument: document }
const named = { PolicyName: 'look' }
const names = { lists: ['PolicyNames'], walks: ['PolicyNames[]'] }
const inside = (result: string, more: Partial<Step>): Partial<Step> => ({
  ...more,
  ...(more.walks ? { walks: more.walks.map((path) => `${result}.${path}`) } : {}),
})
/** Answers are inside `ACTIONResult`, which the client takes off. */
const asks = (action: string, send: Step['send'] | Record<string, string>, more: Partial<Step>): Step =>
  iam(action, send, inside(`${action}Result`, more))

const signed = (await createSigningCertificate('clerk', Date.now())).certificate
const server = await createSigningCertificate('www', Date.now())

const accounts: Command[] = [
  command(
    'euare-accountcreate',
    asks('CreateAccount', { AccountName: 'branch' }, { walks: ['Account.AccountName', 'Account.AccountId'] }),
    asks(
      'CreateAccessKey',
      { UserName: 'admin', DelegateAccount: 'branch' },
      { walks: ['AccessKey.AccessKeyId', 'AccessKey.SecretAccessKey'] },
    ),
  ),
  command(
    'euare-accountlist',
    asks(
      'ListAccounts',
      {},
      { lists: ['Accounts'], walks: ['Accounts[].AccountName', 'Accounts[].AccountId'] },
    ),
  ),
  command('euare-accountaliascreate', iam('CreateAccountAlias', { AccountAlias: 'head-office' })),
  command(
    'euare-accountaliaslist',
    asks('ListAccountAliases', {}, { lists: ['AccountAliases'], walks: ['AccountAliases[]'] }),
  ),
  command('euare-accountaliasdelete', iam('DeleteAccountAlias', { AccountAlias: 'head-office' })),
  command(
    'euare-accountuploadpolicy',
    iam('PutAccountPolicy', { AccountName: 'branch', PolicyName: 'quota', PolicyDocument: quota }),
  ),
  command(
    'euare-accountgetpolicy',
    asks('GetAccountPolicy', { AccountName: 'branch', PolicyName: 'quota' }, { walks: ['PolicyDocument'] }),
  ),
  command('euare-accountlistpolicies', asks('ListAccountPolicies', { AccountName: 'branch' }, names)),
  command(
    'euare-accountdelpolicy',
    iam('DeleteAccountPolicy', { AccountName: 'branch', PolicyName: 'quota' }),
  ),
  command(
    'euare-accountgetsummary',
    asks(
      'GetAccountSummary',
      {},
      { lists: ['SummaryMap'], walks: ['SummaryMap[].key', 'SummaryMap[].value'] },
    ),
  ),
  command('euare-getldapsyncstatus', asks('GetLdapSyncStatus', {}, { walks: ['SyncEnabled', 'InSync'] })),
]

const users: Command[] = [
  command('euare-groupcreate', asks('CreateGroup', group, { walks: ['Group.Arn', 'Group.GroupId'] })),
  command(
    'euare-usercreate',
    asks('CreateUser', { ...user, Path: '/staff/' }, { walks: ['User.Arn', 'User.UserId'] }),
    iam('AddUserToGroup', { ...user, ...group }),
    asks('CreateAccessKey', user, { walks: ['AccessKey.AccessKeyId', 'AccessKey.SecretAccessKey'] }),
    iam('CreateUser', { ...user, DelegateAccount: 'branch' }),
  ),
  command(
    'euare-userlistbypath',
    asks('ListUsers', { PathPrefix: '/staff/' }, { lists: ['Users'], walks: ['Users[].Arn'] }),
  ),
  command(
    'euare-usergetattributes',
    asks(
      'GetUser',
      { ...user, ShowExtra: 'true' },
      { walks: ['User.Arn', 'User.UserId', 'User.CreateDate'] },
    ),
    asks('GetUser', {}, { walks: ['User.Arn', 'User.UserId'] }),
    asks('GetUser', { UserName: 'admin', DelegateAccount: 'branch' }, { walks: ['User.Arn', 'User.UserId'] }),
  ),
  command('euare-userupdateinfo', iam('UpdateUserInfo', { ...user, InfoKey: 'desk', InfoValue: '4' })),
  command(
    'euare-usergetinfo',
    asks('GetUserInfo', user, { lists: ['Infos'], walks: ['Infos[].Key', 'Infos[].Value'] }),
  ),
  command('euare-usermod', iam('UpdateUser', { ...user, NewPath: '/' })),
  command('euare-useruploadpolicy', iam('PutUserPolicy', { ...user, ...policy })),
  command('euare-usergetpolicy', asks('GetUserPolicy', { ...user, ...named }, { walks: ['PolicyDocument'] })),
  command('euare-userlistpolicies', asks('ListUserPolicies', user, names)),
  command(
    'euare-userlistgroups',
    asks('ListGroupsForUser', user, { lists: ['Groups'], walks: ['Groups[].Arn'] }),
  ),
  command(
    'euare-useraddcert',
    asks(
      'UploadSigningCertificate',
      { ...user, CertificateBody: signed },
      { walks: ['Certificate.CertificateId'] },
    ),
  ),
  command(
    'euare-usercreatecert',
    asks('CreateSigningCertificate', user, {
      walks: ['Certificate.CertificateId', 'Certificate.CertificateBody', 'Certificate.PrivateKey'],
    }),
  ),
  command(
    'euare-userlistcerts',
    asks('ListSigningCertificates', user, {
      lists: ['Certificates'],
      walks: ['Certificates[].CertificateId', 'Certificates[].CertificateBody'],
      keep: (world, answer) => {
        world.things['certificate'] = walk(
          answer,
          'ListSigningCertificatesResult.Certificates[].CertificateId',
        )[0]!
      },
    }),
  ),
  command(
    'euare-usermodcert',
    iam('UpdateSigningCertificate', (world) => ({
      ...user,
      CertificateId: world.thing('certificate'),
      Status: 'Inactive',
    })),
  ),
  command(
    'euare-userlistkeys',
    asks('ListAccessKeys', user, {
      lists: ['AccessKeyMetadata'],
      walks: ['AccessKeyMetadata[].AccessKeyId', 'AccessKeyMetadata[].Status'],
      keep: (world, answer) => {
        world.things['key'] = walk(answer, 'ListAccessKeysResult.AccessKeyMetadata[].AccessKeyId')[0]!
      },
    }),
  ),
  command(
    'euare-usermodkey',
    iam('UpdateAccessKey', (world) => ({ ...user, AccessKeyId: world.thing('key'), Status: 'Inactive' })),
  ),
  command('euare-useraddloginprofile', iam('CreateLoginProfile', { ...user, Password: 'Correct-Horse-1' })),
  command(
    'euare-usergetloginprofile',
    asks('GetLoginProfile', user, { walks: ['LoginProfile.UserName', 'LoginProfile.CreateDate'] }),
  ),
  command('euare-usermodloginprofile', iam('UpdateLoginProfile', { ...user, Password: 'Correct-Horse-2' })),
  command(
    'euare-userlistmfadevices',
    asks('ListMFADevices', user, { lists: ['MFADevices'], walks: ['MFADevices[]?'] }),
  ),
]

const devices: Command[] = [
  command(
    'euare-userenablemfadevice',
    asks(
      'CreateVirtualMFADevice',
      { VirtualMFADeviceName: 'token' },
      {
        walks: ['VirtualMFADevice.SerialNumber'],
        keep: (world, answer) => {
          const [serial, seed] = ['SerialNumber', 'Base32StringSeed'].map(
            (name) => walk(answer, `CreateVirtualMFADeviceResult.VirtualMFADevice.${name}`)[0]!,
          )
          Object.assign(world.things, { serial, seed: Buffer.from(seed!, 'base64').toString() })
        },
      },
    ),
    iam('EnableMFADevice', (world) => ({
      ...user,
      SerialNumber: world.thing('serial'),
      ...codes(world.thing('seed'), -4),
    })),
  ),
  command(
    'euare-userresyncmfadevice',
    iam('ResyncMFADevice', (world) => ({
      ...user,
      SerialNumber: world.thing('serial'),
      ...codes(world.thing('seed'), 2),
    })),
  ),
  command(
    'euare-userdeactivatemfadevice',
    iam('DeactivateMFADevice', (world) => ({ ...user, SerialNumber: world.thing('serial') })),
  ),
]

function codes(seed: string, from: number) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...seed].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const bytes = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)))
  const step = stepAt(Date.now()) + from
  return { AuthenticationCode1: codeOf(bytes, step), AuthenticationCode2: codeOf(bytes, step + 1) }
}

const groupsAndRoles: Command[] = [
  command('euare-groupmod', iam('UpdateGroup', { ...group, NewPath: '/staff/' })),
  command(
    'euare-grouplistbypath',
    asks('ListGroups', { PathPrefix: '/staff/' }, { lists: ['Groups'], walks: ['Groups[].Arn'] }),
  ),
  command(
    'euare-grouplistusers',
    asks('GetGroup', group, { lists: ['Users'], walks: ['Group.Arn', 'Users[].Arn'] }),
  ),
  command('euare-groupuploadpolicy', iam('PutGroupPolicy', { ...group, ...policy })),
  command(
    'euare-groupgetpolicy',
    asks('GetGroupPolicy', { ...group, ...named }, { walks: ['PolicyDocument'] }),
  ),
  command('euare-grouplistpolicies', asks('ListGroupPolicies', group, names)),
  command('euare-groupdelpolicy', iam('DeleteGroupPolicy', { ...group, ...named })),
  command(
    'euare-rolecreate',
    asks(
      'CreateRole',
      { ...role, Path: '/staff/', AssumeRolePolicyDocument: trust },
      { walks: ['Role.Arn', 'Role.RoleId'] },
    ),
  ),
  command(
    'euare-rolegetattributes',
    asks('GetRole', role, { walks: ['Role.Arn', 'Role.RoleId', 'Role.AssumeRolePolicyDocument'] }),
  ),
  command(
    'euare-rolelistbypath',
    asks('ListRoles', { PathPrefix: '/staff/' }, { lists: ['Roles'], walks: ['Roles[].Arn'] }),
  ),
  command('euare-roleupdateassumepolicy', iam('UpdateAssumeRolePolicy', { ...role, PolicyDocument: trust })),
  command('euare-roleuploadpolicy', iam('PutRolePolicy', { ...role, ...policy })),
  command('euare-rolegetpolicy', asks('GetRolePolicy', { ...role, ...named }, { walks: ['PolicyDocument'] })),
  command('euare-rolelistpolicies', asks('ListRolePolicies', role, names)),
  command('euare-roledelpolicy', iam('DeleteRolePolicy', { ...role, ...named })),
  command(
    'euare-instanceprofilecreate',
    asks('CreateInstanceProfile', profile, {
      walks: ['InstanceProfile.Arn', 'InstanceProfile.InstanceProfileId'],
    }),
  ),
  command('euare-instanceprofileaddrole', iam('AddRoleToInstanceProfile', { ...profile, ...role })),
  command(
    'euare-instanceprofilegetattributes',
    asks('GetInstanceProfile', profile, {
      lists: ['Roles'],
      walks: ['InstanceProfile.Arn', 'InstanceProfile.Roles[].Arn'],
    }),
  ),
  command(
    'euare-instanceprofilelistbypath',
    asks('ListInstanceProfiles', {}, { lists: ['InstanceProfiles'], walks: ['InstanceProfiles[].Arn'] }),
  ),
  command(
    'euare-instanceprofilelistforrole',
    asks('ListInstanceProfilesForRole', role, {
      lists: ['InstanceProfiles'],
      walks: ['InstanceProfiles[].Arn'],
    }),
  ),
  command('euare-instanceprofileremoverole', iam('RemoveRoleFromInstanceProfile', { ...profile, ...role })),
  command('euare-instanceprofiledel', iam('DeleteInstanceProfile', profile)),
  command('euare-roledel', iam('DeleteRole', role)),
]

const issuer = (world: { thing(name: string): string }) => ({
  OpenIDConnectProviderArn: world.thing('issuer'),
})
const certificate = { ServerCertificateName: 'www' }
const providers: Command[] = [
  command(
    'euare-oidcprovidercreate',
    asks(
      'CreateOpenIDConnectProvider',
      { Url: 'https://id.example.com', 'ThumbprintList.member.1': 'a'.repeat(40) },
      {
        walks: ['OpenIDConnectProviderArn'],
        keep: (world, answer) => {
          world.things['issuer'] = walk(
            answer,
            'CreateOpenIDConnectProviderResult.OpenIDConnectProviderArn',
          )[0]!
        },
      },
    ),
  ),
  command(
    'euare-oidcprovideraddclientid',
    iam('AddClientIDToOpenIDConnectProvider', (world) => ({ ...issuer(world), ClientID: 'x' })),
  ),
  command(
    'euare-oidcprovidergetattributes',
    asks('GetOpenIDConnectProvider', issuer, {
      lists: ['ClientIDList', 'ThumbprintList'],
      walks: ['Url', 'ClientIDList[]', 'ThumbprintList[]'],
    }),
  ),
  command(
    'euare-oidcproviderlist',
    asks(
      'ListOpenIDConnectProviders',
      {},
      { lists: ['OpenIDConnectProviderList'], walks: ['OpenIDConnectProviderList[].Arn'] },
    ),
  ),
  command(
    'euare-oidcproviderchangethumbprint',
    iam('UpdateOpenIDConnectProviderThumbprint', (world) => ({
      ...issuer(world),
      'ThumbprintList.member.1': 'b'.repeat(40),
    })),
  ),
  command(
    'euare-oidcproviderdelclientid',
    iam('RemoveClientIDFromOpenIDConnectProvider', (world) => ({ ...issuer(world), ClientID: 'x' })),
  ),
  command('euare-oidcproviderdel', iam('DeleteOpenIDConnectProvider', issuer)),
  command(
    'euare-servercertupload',
    asks(
      'UploadServerCertificate',
      { ...certificate, CertificateBody: server.certificate, PrivateKey: server.key },
      {
        walks: ['ServerCertificateMetadata.Arn', 'ServerCertificateMetadata.ServerCertificateId'],
      },
    ),
  ),
  command(
    'euare-servercertgetattributes',
    asks('GetServerCertificate', certificate, {
      walks: [
        'ServerCertificate.ServerCertificateMetadata.Arn',
        'ServerCertificate.ServerCertificateMetadata.ServerCertificateId',
      ],
    }),
  ),
  command(
    'euare-servercertlistbypath',
    asks(
      'ListServerCertificates',
      {},
      {
        lists: ['ServerCertificateMetadataList'],
        walks: ['ServerCertificateMetadataList[].Arn'],
      },
    ),
  ),
  command('euare-servercertmod', iam('UpdateServerCertificate', { ...certificate, NewPath: '/tls/' })),
  command('euare-servercertdel', iam('DeleteServerCertificate', certificate)),
]

const last: Command[] = [
  command(
    'euare-userdelkey',
    iam('DeleteAccessKey', (world) => ({ ...user, AccessKeyId: world.thing('key') })),
  ),
  command(
    'euare-userdelcert',
    iam('DeleteSigningCertificate', (world) => ({ ...user, CertificateId: world.thing('certificate') })),
  ),
  command('euare-userdelpolicy', iam('DeleteUserPolicy', { ...user, ...named })),
  command('euare-userdelloginprofile', iam('DeleteLoginProfile', user)),
  command('euare-groupremoveuser', iam('RemoveUserFromGroup', { ...user, ...group })),
  command(
    'euare-userdel',
    iam('DeleteUser', user, { refused: ['DeleteConflict', 'signing certificates'] }),
    asks('ListSigningCertificates', user, {
      lists: ['Certificates'],
      walks: ['Certificates[].CertificateId'],
      keep: (world, answer) => {
        world.things['certificate'] = walk(
          answer,
          'ListSigningCertificatesResult.Certificates[].CertificateId',
        )[0]!
      },
    }),
    iam('DeleteSigningCertificate', (world) => ({ ...user, CertificateId: world.thing('certificate') })),
    iam('GetLoginProfile', user, { refused: ['NoSuchEntity', 'Login Profile'] }),
    iam('DeleteUser', user),
  ),
  command('euare-groupdel', iam('DeleteGroup', group)),
  command(
    'euare-accountdel',
    iam('DeleteAccount', { AccountName: 'branch' }, { refused: ['DeleteConflict', 'users'] }),
    iam('DeleteAccount', { AccountName: 'branch', Recursive: 'true' }),
  ),
]

/** Every command of the suite for identities but those of STS: see tokens.test.ts. */
export const identityCommands: readonly Command[] = [
  ...accounts,
  ...users,
  ...devices,
  ...groupsAndRoles,
  ...providers,
  ...last,
]
