import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { assert } from '@mallee/base'
import { until, type Guest, type TestHost } from '@mallee/testkit'
import { gone, inNode, launch, reachable, type StoryChapters, type Story } from './launches.ts'

/** Runs the work under another stylesheet and puts the admin's back. */
async function withStylesheet(
  story: Story,
  edit: (text: string) => string,
  work: () => Promise<void>,
): Promise<void> {
  const stylesheet = `${story.host.stateDir}/etc/libvirt.xsl`
  const original = readFileSync(stylesheet, 'utf8')
  const edited = edit(original)
  assert(edited !== original, 'the edit changes nothing')
  writeFileSync(stylesheet, edited)
  try {
    await work()
  } finally {
    writeFileSync(stylesheet, original)
  }
}

/** "Find … and put in its place …", as docs/customising-domains.md says it. */
function applyDocumentedEdit(host: TestHost, title: string, text: string): string {
  const page = readFileSync(`${host.root}/docs/customising-domains.md`, 'utf8')
  const section = page.slice(page.indexOf(`### Edit: ${title}`)).split('\n### ')[0]!
  const blocks = [...section.matchAll(/```xml\n([^]*?)```/g)].map((match) => match[1]!)
  let edited = text
  for (let index = 0; index + 1 < blocks.length; index += 2) {
    assert(edited.includes(blocks[index]!), `the stylesheet does not hold: ${blocks[index]}`)
    edited = edited.replace(blocks[index]!, () => blocks[index + 1]!)
  }
  return edited
}

/** What an admin's stylesheet and hooks make of the domains launched under them. */
export const customising: StoryChapters = {
  async 'the admin’s stylesheet and hook shape the next domain'(story) {
    const titled = (text: string) =>
      text.replace('<description>', '<title>shaped by the admin</title>\n      <description>')
    const hook = `${story.host.stateDir}/etc/nc-hooks/10-mark`
    writeFileSync(
      hook,
      '#!/bin/sh\n[ "$1" = euca-nc-pre-boot ] && sed -i "s/shaped by the admin/shaped by the hook/" "$3/instance-libvirt.xml"\nexit 0\n',
      { mode: 0o755 },
    )
    try {
      await withStylesheet(story, titled, async () => {
        const [id] = (await launch(story)) as [string]
        await until('it runs', 30, async () => (await story.client.guests(id))[0]!.state === 'running')
        const xml = await inNode(story, 'virsh', 'dumpxml', id)
        assert(xml.includes('<title>shaped by the hook</title>'), 'the domain does not show the edits')
        await gone(story, [id])
      })
    } finally {
      rmSync(hook)
    }
  },

  async 'a stylesheet that fails fails the launch and leaves nothing'(story) {
    await withStylesheet(
      story,
      () => '<xsl:stylesheet',
      async () => {
        const [id] = (await launch(story)) as [string]
        await until(
          'it is terminated',
          30,
          async () => (await story.client.guests(id))[0]!.state === 'terminated',
        )
        const answer = await story.client.aws('ec2', 'describe-instances', '--instance-ids', id)
        const reason = answer.Reservations[0].Instances[0].StateReason.Message as string
        assert(reason.includes('Server.InternalError'), `the reason is ${reason}`)
      },
    )
  },

  async 'the documented edit to legacy IDE boots from IDE'(story) {
    await withStylesheet(
      story,
      (text) => applyDocumentedEdit(story.host, 'legacy IDE', text),
      async () => {
        const [id] = (await launch(story)) as [string]
        const [guest] = (await reachable(story, [id])) as [Guest]
        const mounts = await story.client.inGuest(guest.publicIp, 'cat /proc/mounts')
        assert(/^\/dev\/sda1 \/ ext4/m.test(mounts), `the root is elsewhere: ${mounts.split('\n')[0]}`)
        await gone(story, [id])
      },
    )
  },

  async 'a stylesheet that knows no disk format gets a raw disk, and boots'(story) {
    const asEucalyptusHadIt = (text: string) =>
      text.replaceAll('@driverType', '@unknownToIt').replaceAll('@consolePort', '@unknownToIt')
    await withStylesheet(story, asEucalyptusHadIt, async () => {
      const [id] = (await launch(story)) as [string]
      const [guest] = (await reachable(story, [id])) as [Guest]
      const disks = execFileSync(
        'find',
        [`${story.host.stateDir}/node/instances`, '-path', `*${id}/root.*`],
        { encoding: 'utf8' },
      )
      assert(disks.trim().endsWith('/root.raw'), `its disk is ${disks}`)
      assert(guest.state === 'running', guest.state)
      await gone(story, [id])
    })
  },
}
