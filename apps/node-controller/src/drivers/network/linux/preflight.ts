import { errorMessage } from '@mallee/base'
import type { Commands } from './commands.ts'

/** What stands in the way of the network on this machine, as sentences; empty where nothing does. */
export async function whyUnusable(commands: Commands): Promise<string[]> {
  const programs: [string, string[], string][] = [
    ['ip', ['-Version'], 'iproute2'],
    ['nft', ['list', 'tables'], 'nftables'],
    ['dnsmasq', ['--version'], 'dnsmasq-base'],
    ['conntrack', ['--version'], 'conntrack'],
  ]
  const problems = await Promise.all(
    programs.map(([file, args, debianPackage]) =>
      commands.run(file, args).then(
        () => null,
        (error: unknown) => `${file} (package ${debianPackage}) does not work: ${errorMessage(error)}`,
      ),
    ),
  )
  problems.push(
    await commands.readSysctl('bridge/bridge-nf-call-iptables').then(
      () => null,
      () =>
        'The kernel lacks br_netfilter (modprobe br_netfilter), without which security groups have no effect.',
    ),
  )
  return problems.flatMap((problem) => problem ?? [])
}
