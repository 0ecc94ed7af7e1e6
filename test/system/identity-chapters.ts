import { readFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until } from '@mallee/testkit'
import { gone, launch, reachable, type StoryChapters } from './launches.ts'

const script = readFileSync(new URL('guest-list-bucket.sh', import.meta.url), 'utf8')
const trustEc2 = {
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
}

export const identities: StoryChapters = {
  async 'a guest lists the one bucket that its role allows, with no key of its own'(story) {
    const { client, host } = story
    const iam = (...args: string[]) => client.aws('iam', ...args)
    for (const name of ['role-may', 'role-may-not']) {
      await client.aws('s3api', 'create-bucket', '--bucket', name)
      await client.aws('s3api', 'put-object', '--bucket', name, '--key', `in-${name}`)
    }
    await iam(
      'create-role',
      '--role-name',
      'lister',
      '--assume-role-policy-document',
      JSON.stringify(trustEc2),
    )
    const allowed = { Effect: 'Allow', Action: 's3:ListBucket', Resource: 'arn:aws:s3:::role-may' }
    const document = JSON.stringify({ Version: '2012-10-17', Statement: allowed })
    await iam('put-role-policy', '--role-name', 'lister', '--policy-name', 'p', '--policy-document', document)
    await iam('create-instance-profile', '--instance-profile-name', 'lister')
    await iam('add-role-to-instance-profile', '--instance-profile-name', 'lister', '--role-name', 'lister')
    const ids = await launch(story, '--iam-instance-profile', 'Name=lister')
    const [guest] = await reachable(story, ids)
    const { publicIp } = guest!
    await client.inGuest(publicIp, `cat > /tmp/list.sh <<'END'\n${script}\nEND`)
    // Where guests meet the cloud's door: the host's end of the link to its node.
    const addresses = await host.must('ip', ['-4', '-o', 'address', 'show'])
    const [, door] = /inet ([\d.]+) peer/.exec(addresses) ?? []
    const list = (bucket: string) =>
      client.inGuest(publicIp, `sh /tmp/list.sh ${door} ${host.portBase} ${bucket}`)
    const listed = await list('role-may')
    assert(listed.includes('<Key>in-role-may</Key>'), `the guest's role lists: ${listed.slice(0, 600)}`)
    const refused = await list('role-may-not')
    assert(refused.includes('<Code>AccessDenied</Code>'), `another bucket: ${refused.slice(0, 600)}`)
    // What the role may do counts at once, for credentials that are out already.
    await iam('delete-role-policy', '--role-name', 'lister', '--policy-name', 'p')
    await until('the role may no more', 30, async () =>
      (await list('role-may')).includes('<Code>AccessDenied</Code>'),
    )
    await gone(story, ids)
    await iam(
      'remove-role-from-instance-profile',
      '--instance-profile-name',
      'lister',
      '--role-name',
      'lister',
    )
    await iam('delete-instance-profile', '--instance-profile-name', 'lister')
    await iam('delete-role', '--role-name', 'lister')
    for (const name of ['role-may', 'role-may-not']) await client.aws('s3', 'rb', '--force', `s3://${name}`)
  },
}
