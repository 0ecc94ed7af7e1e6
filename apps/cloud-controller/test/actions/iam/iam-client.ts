import type { CloudUnderTest, Credentials } from '../../cloud-under-test.ts'

/** Requests of IAM, with what their answers hold by the names of the elements. */
export const iamClient =
  (cloud: () => CloudUnderTest) =>
  async (action: string, parameters: Record<string, string | number | boolean> = {}, as?: Credentials) => {
    const answer = await cloud().call(action, parameters, {
      service: 'iam',
      version: '2010-05-08',
      as: as ?? cloud().admin,
    })
    const all = (name: string) =>
      [...answer.body.matchAll(new RegExp(`<${name}>([^<]*)<`, 'g'))].map((match) => match[1]!)
    return { ...answer, all, one: (name: string) => all(name)[0] }
  }

export type Iam = ReturnType<typeof iamClient>

/** The key of a user, as credentials. */
export async function keyOf(iam: Iam, account: Credentials, name: string): Promise<Credentials> {
  const made = await iam('CreateAccessKey', { UserName: name }, account)
  if (made.status !== 200) throw new Error(made.body)
  return {
    accountId: account.accountId,
    accessKeyId: made.one('AccessKeyId')!,
    secretAccessKey: made.one('SecretAccessKey')!,
  }
}

export const allow = (action: string | string[], resource: string | string[] = '*') =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: action, Resource: resource }],
  })

/** Lets EC2 assume a role. */
export const trustEc2 = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
})
