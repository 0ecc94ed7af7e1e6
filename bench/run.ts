import { acceptedLaunchesBench } from './accepted-launches.ts'
import { describeInstancesBench } from './describe-instances.ts'
import { heldPollsBench } from './held-polls.ts'
import { startAndMemoryBench } from './start-and-memory.ts'
import { placementsBench } from './placements.ts'
import { runInstancesBench } from './run-instances.ts'

/** `npm run bench NAME`: each prints its figure next to a baseline of the same run, and their ratio. */
const benches: Readonly<Record<string, () => Promise<void>>> = {
  'accepted-launches': acceptedLaunchesBench,
  'describe-instances': describeInstancesBench,
  'held-polls': heldPollsBench,
  placements: placementsBench,
  'start-and-memory': startAndMemoryBench,
  'run-instances': runInstancesBench,
}

const name = process.argv[2] ?? ''
const bench = benches[name]
if (!bench) {
  process.stderr.write(
    `usage: npm run bench NAME, where NAME is one of: ${Object.keys(benches).join(', ')}\n`,
  )
  process.exit(2)
}
await bench()
