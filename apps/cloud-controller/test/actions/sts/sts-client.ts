import type { CloudUnderTest, Credentials } from '../../cloud-under-test.ts'

/** Requests of STS, and the credentials that they answer. */
export const stsClient =
  (cloud: () => CloudUnderTest) =>
  async (action: string, parameters: Record<string, string | number> = {}, as?: Credentials) => {
    const answer = await cloud().call(action, parameters, {
      service: 'sts',
      version: '2011-06-15',
      as: as ?? cloud().admin,
    })
    const one = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(answer.body)?.[1]
    return { ...answer, one }
  }

export type Sts = ReturnType<typeof stsClient>

/** Temporary credentials out of an answer. */
export function credentialsOf(answer: Awaited<ReturnType<Sts>>, accountId: string): Credentials {
  if (answer.status !== 200) throw new Error(answer.body)
  return {
    accountId,
    accessKeyId: answer.one('AccessKeyId')!,
    secretAccessKey: answer.one('SecretAccessKey')!,
    sessionToken: answer.one('SessionToken')!,
  }
}

export const trusts = (principal: unknown, condition?: unknown): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Principal: principal,
      Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      ...(condition === undefined ? {} : { Condition: condition }),
    },
  })
