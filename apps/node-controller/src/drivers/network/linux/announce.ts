import { errorMessage, type Log } from '@mallee/base'
import type { Commands } from './commands.ts'

/** So many at once, since each takes a second. */
const announcedAtOnce = 100

/**
 * Says unasked, on a link, that these addresses are found there (gratuitous ARP, RFC 5227 section 3), so that neighbours
 * follow at once and not when what they remember ends.
 */
export async function announce(
  commands: Commands,
  addresses: readonly string[],
  where: { readonly link: string; readonly namespace?: string; readonly log: Log },
): Promise<void> {
  for (let start = 0; start < addresses.length; start += announcedAtOnce) {
    const some = addresses.slice(start, start + announcedAtOnce)
    await commands
      .run('sh', ['-c', announcement, 'announce', where.link, ...some], where.namespace)
      .catch((error: unknown) =>
        // Neighbours then find out when their own entries end.
        where.log.warn({ reason: errorMessage(error) }, 'addresses could not be announced'),
      )
  }
}

/** arping takes only addresses that it can bind to, and these are nobody's own: they are routed on. */
const announcement = `
  setting=/proc/sys/net/ipv4/ip_nonlocal_bind
  was=$(cat $setting); echo 1 > $setting
  link=$1; shift
  for address; do arping -q -c 1 -w 1 -A -I "$link" -s "$address" "$address" & all="$all $!"; done
  for one in $all; do wait $one || failed=1; done
  echo "$was" > $setting
  exit \${failed:-0}`
