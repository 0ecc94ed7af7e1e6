import { gone, launch, reachable, type StoryChapters } from './launches.ts'
import { KillPoints } from './kill-points.ts'

/** The first points of `npm run long volume-kills`, for every change. */
const most = 4

export const kills: StoryChapters = {
  async 'a volume and its writer outlive the deaths of storage controller and target daemon'(story) {
    const [guest] = await reachable(story, await launch(story))
    await story.client.inGuest(guest!.publicIp, `echo ${guest!.id} > /root/mine; sync`)
    const points = new KillPoints(story, guest!)
    for (const [name, work] of Object.entries(points.points).slice(0, most))
      await work().catch((error: unknown) => {
        throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
      })
    await gone(story, [guest!.id])
    await points.removeRest()
  },
}
