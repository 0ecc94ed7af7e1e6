import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyPassword } from '../../../src/identity/passwords.ts'
import { codeOf, stepAt } from '../../../src/identity/totp.ts'
import { takeMfaCode } from '../../../src/store/identity/mfa-store.ts'
import { CloudUnderTest, type Credentials } from '../../cloud-under-test.ts'
import { allow, iamClient, keyOf } from './iam-client.ts'

let cloud: CloudUnderTest
let ann: Credentials
const iam = iamClient(() => cloud)
beforeAll(async () => {
  cloud = await CloudUnderTest.start()
  await iam('CreateUser', { UserName: 'ann' })
  await iam('CreateGroup', { GroupName: 'people' })
  const PolicyDocument = allow(['iam:ChangePassword', 'iam:GetMFADevice'])
  await iam('PutGroupPolicy', { GroupName: 'people', PolicyName: 'self', PolicyDocument })
  await iam('AddUserToGroup', { GroupName: 'people', UserName: 'ann' })
  ann = await keyOf(iam, cloud.admin, 'ann')
})
afterAll(() => cloud.stop())

const good = 'Correct-Horse-1'
const hashes = () => cloud.cloud.record.read((db) => db.selectFrom('iam_login_profile').selectAll().execute())

test('a login profile is made, kept as a hash, changed and deleted', async () => {
  const named = { UserName: 'ann' }
  expect((await iam('GetLoginProfile', named)).code).toBe('NoSuchEntity')
  const made = await iam('CreateLoginProfile', { ...named, Password: good, PasswordResetRequired: true })
  expect([made.one('UserName'), made.one('PasswordResetRequired')]).toEqual(['ann', 'true'])
  const [row] = await hashes()
  expect(row!.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(await verifyPassword(good, row!.password_hash)).toBe(true)
  expect(await verifyPassword(`${good} `, row!.password_hash)).toBe(false)
  expect((await iam('CreateLoginProfile', { ...named, Password: good })).code).toBe('EntityAlreadyExists')
  const change = { OldPassword: good, NewPassword: 'Another-Horse-2' }
  expect((await iam('ChangePassword', { ...change, OldPassword: 'wrong' }, ann)).code).toBe('AccessDenied')
  expect((await iam('ChangePassword', { ...change, NewPassword: 'short' }, ann)).code).toBe(
    'PasswordPolicyViolation',
  )
  expect((await iam('ChangePassword', change, ann)).status).toBe(200)
  expect((await iam('GetLoginProfile', named)).one('PasswordResetRequired')).toBe('false')
  expect((await iam('ChangePassword', change)).code).toBe('InvalidUserType')
  expect((await iam('DeleteUser', named)).message).toContain('delete')
  await iam('UpdateLoginProfile', { ...named, Password: good, PasswordResetRequired: true })
  expect(await verifyPassword(good, (await hashes())[0]!.password_hash)).toBe(true)
  expect((await iam('DeleteLoginProfile', named)).status).toBe(200)
  expect((await iam('DeleteLoginProfile', named)).code).toBe('NoSuchEntity')
  expect((await iam('UpdateLoginProfile', { ...named, Password: good })).code).toBe('NoSuchEntity')
  expect((await iam('CreateLoginProfile', named)).code).toBe('ValidationError')
})

test('the account demands what its policy says', async () => {
  expect((await iam('GetAccountPasswordPolicy')).code).toBe('NoSuchEntity')
  const create = async (Password: string) => {
    const answer = await iam('CreateLoginProfile', { UserName: 'ann', Password })
    if (answer.status === 200) await iam('DeleteLoginProfile', { UserName: 'ann' })
    return answer.code
  }
  expect(await create('onlylowercase')).toBe('PasswordPolicyViolation')
  expect(await create('Short-1')).toBe('PasswordPolicyViolation')
  await iam('UpdateAccountPasswordPolicy', {
    MinimumPasswordLength: 10,
    RequireSymbols: true,
    PasswordReusePrevention: 2,
    MaxPasswordAge: 90,
  })
  const policy = await iam('GetAccountPasswordPolicy')
  expect(
    ['MinimumPasswordLength', 'RequireSymbols', 'RequireNumbers', 'ExpirePasswords'].map(policy.one),
  ).toEqual(['10', 'true', 'false', 'true'])
  expect(await create('lowercase-only')).toBeUndefined()
  expect(await create('lowercaseonly')).toBe('PasswordPolicyViolation')
  expect(await create('short-one')).toBe('PasswordPolicyViolation')
  await iam('CreateLoginProfile', { UserName: 'ann', Password: 'the-first-one' })
  const change = async (OldPassword: string, NewPassword: string) =>
    (await iam('ChangePassword', { OldPassword, NewPassword }, ann)).code
  expect(await change('the-first-one', 'the-first-one')).toBe('PasswordPolicyViolation')
  expect(await change('the-first-one', 'the-second-one')).toBeUndefined()
  expect(await change('the-second-one', 'the-first-one')).toBe('PasswordPolicyViolation')
  expect(await change('the-second-one', 'the-third-one')).toBeUndefined()
  expect(await change('the-third-one', 'the-first-one')).toBeUndefined()
  expect((await iam('UpdateAccountPasswordPolicy', { MinimumPasswordLength: 5 })).code).toBe(
    'ValidationError',
  )
  expect((await iam('DeleteAccountPasswordPolicy')).status).toBe(200)
  expect((await iam('DeleteAccountPasswordPolicy')).code).toBe('NoSuchEntity')
})

test('a virtual MFA device from its seed to its end', async () => {
  const made = await iam('CreateVirtualMFADevice', { VirtualMFADeviceName: 'phone', Path: '/m/' })
  const SerialNumber = made.one('SerialNumber')!
  expect(SerialNumber).toBe(`arn:aws:iam::${cloud.admin.accountId}:mfa/m/phone`)
  expect(Buffer.from(made.one('QRCodePNG')!, 'base64').subarray(1, 4).toString()).toBe('PNG')
  const seed = fromBase32(Buffer.from(made.one('Base32StringSeed')!, 'base64').toString())
  const codes = (first: number) => ({
    AuthenticationCode1: codeOf(seed, first),
    AuthenticationCode2: codeOf(seed, first + 1),
  })
  const now = stepAt(Date.now())
  const named = { UserName: 'ann', SerialNumber }
  const wrong = { ...codes(now - 1), AuthenticationCode2: codeOf(seed, now - 1) }
  expect((await iam('EnableMFADevice', { ...named, ...wrong })).code).toBe('InvalidAuthenticationCode')
  expect((await iam('EnableMFADevice', { ...named, ...codes(now - 100) })).code).toBe(
    'InvalidAuthenticationCode',
  )
  expect((await iam('EnableMFADevice', { ...named, ...codes(now - 3) })).status).toBe(200)
  expect((await iam('EnableMFADevice', { ...named, ...codes(now - 1) })).code).toBe('EntityAlreadyExists')
  expect((await iam('ListMFADevices', { UserName: 'ann' })).all('SerialNumber')).toEqual([SerialNumber])
  expect((await iam('ListVirtualMFADevices', { AssignmentStatus: 'Assigned' })).one('UserName')).toBe('ann')
  expect((await iam('GetMFADevice', { SerialNumber }, ann)).one('UserName')).toBe('ann')
  const { accountId } = cloud.admin
  const [user] = await cloud.cloud.record.read((db) =>
    db.selectFrom('user').select('id').where('name', '=', 'ann').execute(),
  )
  const take = (code: string) =>
    cloud.cloud.record.transaction('action', (tx) =>
      takeMfaCode(tx, keyring(), {
        ...{ accountId, userId: user!.id, serialNumber: SerialNumber, code },
        nowMs: now * 30_000,
      }),
    )
  const keyring = () => cloud.cloud.keyring
  expect(await take(codeOf(seed, now))).toBe(true)
  expect(await take(codeOf(seed, now))).toBe(false)
  expect((await iam('ResyncMFADevice', { ...named, ...codes(now - 2) })).code).toBe(
    'InvalidAuthenticationCode',
  )
  expect((await iam('ResyncMFADevice', { ...named, ...codes(now + 1) })).status).toBe(200)
  expect((await iam('DeleteVirtualMFADevice', { SerialNumber })).code).toBe('DeleteConflict')
  expect((await iam('DeactivateMFADevice', named)).status).toBe(200)
  expect((await iam('DeactivateMFADevice', named)).code).toBe('NoSuchEntity')
  expect((await iam('DeleteVirtualMFADevice', { SerialNumber })).status).toBe(200)
  expect((await iam('DeleteVirtualMFADevice', { SerialNumber })).code).toBe('NoSuchEntity')
})

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  )
  return Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)!
      .map((byte) => Number.parseInt(byte, 2)),
  )
}

test('users change their own passwords where the account lets them', async () => {
  for (const name of ['own', 'other']) {
    await iam('CreateUser', { UserName: name, Path: '/people/' })
    await iam('CreateLoginProfile', { UserName: name, Password: good })
  }
  const own = await keyOf(iam, cloud.admin, 'own')
  const change = () => iam('ChangePassword', { OldPassword: good, NewPassword: 'Another-Horse-2' }, own)
  await iam('UpdateAccountPasswordPolicy', { AllowUsersToChangePassword: false })
  expect((await change()).code).toBe('AccessDenied')
  await iam('UpdateAccountPasswordPolicy', { AllowUsersToChangePassword: true })
  expect((await iam('GetAccountPasswordPolicy', {}, own)).status).toBe(200)
  const others = { UserName: 'other', Password: 'Another-Horse-3' }
  expect((await iam('UpdateLoginProfile', others, own)).code).toBe('AccessDenied')
  const Deny = { Effect: 'Deny', Action: 'iam:ChangePassword', Resource: '*' }
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement: Deny })
  await iam('PutUserPolicy', { UserName: 'own', PolicyName: 'no', PolicyDocument })
  expect((await change()).code).toBe('AccessDenied')
  await iam('DeleteUserPolicy', { UserName: 'own', PolicyName: 'no' })
  expect((await change()).status).toBe(200)
})
