import { acceptedLaunchesBench } from './accepted-launches.ts'
import { auditBench } from './audit.ts'
import { authoriseBench } from './authorise.ts'
import { describeInstancesBench } from './describe-instances.ts'
import { describePagesBench } from './describe-pages.ts'
import { ebsBench } from './ebs.ts'
import { encodeBench } from './encode.ts'
import { heldPollsBench } from './held-polls.ts'
import { mixedBench } from './mixed.ts'
import { networkBench } from './network.ts'
import { startAndMemoryBench } from './start-and-memory.ts'
import { placementsBench } from './placements.ts'
import { s3Bench } from './s3.ts'
import { runInstancesBench } from './run-instances.ts'
import { usageBench } from './usage.ts'
import { signaturesBench } from './signatures.ts'

/** `npm run bench NAME`: each prints its figure next to a baseline of the same run, and their ratio. */
const benches: Readonly<Record<string, () => Promise<void>>> = {
  'accepted-launches': acceptedLaunchesBench,
  audit: auditBench,
  authorise: authoriseBench,
  'describe-instances': describeInstancesBench,
  'describe-pages': describePagesBench,
  ebs: ebsBench,
  encode: encodeBench,
  'held-polls': heldPollsBench,
  mixed: mixedBench,
  network: networkBench,
  placements: placementsBench,
  'start-and-memory': startAndMemoryBench,
  'run-instances': runInstancesBench,
  s3: s3Bench,
  signatures: signaturesBench,
  usage: usageBench,
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
