import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * Who talks and who listens: two small Perl programs, which cost a fraction of what Node would take of the processors
 * that the packets need. A server has three ports: 1 swallows, 2 echoes, 3 closes at once.
 */
const serverProgram = `
use Socket; $SIG{CHLD} = 'IGNORE'; $| = 1;
sub door { socket(my $s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($s, sockaddr_in($_[0], INADDR_ANY)) or die "bind: $!"; listen($s, 1024); $s }
for my $kind (1, 2, 3) {
  my $s = door(7000 + $kind);
  next if fork();
  while (accept(my $c, $s)) {
    next if $kind == 3;
    next if fork();
    setsockopt($c, 6, 1, 1);
    while (sysread($c, my $b, 1 << 20)) { syswrite($c, $b) if $kind == 2 }
    exit 0;
  }
}
print "ready\\n"; <STDIN>; kill 9, -getpgrp();`
const clientProgram = `
use Socket; use Time::HiRes 'time';
my ($kind, $host, $seconds) = @ARGV;
my $place = sockaddr_in(7000 + $kind, inet_aton($host));
sub reach { socket(my $s, PF_INET, SOCK_STREAM, 0); connect($s, $place) or die "connect: $!"; setsockopt($s, 6, 1, 1); $s }
my ($count, $began) = (0, time); my $end = $began + $seconds;
if ($kind == 1) { my $s = reach(); my $b = 'x' x (1 << 18);
  while (time < $end) { $count += syswrite($s, $b) // die "write: $!" }
  shutdown($s, 1); sysread($s, my $rest, 1) }
elsif ($kind == 2) { my $s = reach();
  while (time < $end) { for (1 .. 50) { syswrite($s, 'x'); sysread($s, my $b, 1) or die "read: $!"; $count++ } } }
else { while (time < $end) { my $s = reach(); setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)); close $s; $count++ } }
print $count / (time - $began), "\\n";`

const kinds = { bytes: 1, roundTrips: 2, connections: 3 } as const
export type TrafficKind = keyof typeof kinds

export interface TrafficServer {
  end(): Promise<void>
}

/** In a namespace, until it is told to end. */
export async function serveTraffic(namespace: string): Promise<TrafficServer> {
  const child = inside(namespace, ['setsid', '--wait', 'perl', '-e', serverProgram])
  await once(createInterface({ input: child.stdout! }), 'line')
  return {
    async end() {
      child.stdin!.end('\n')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}

/** How much of it a second, between a namespace and an address. */
export async function traffic(
  kind: TrafficKind,
  options: { namespace: string; address: string; seconds: number },
): Promise<number> {
  const { namespace, address, seconds } = options
  const child = inside(namespace, [
    'perl',
    '-e',
    clientProgram,
    String(kinds[kind]),
    address,
    String(seconds),
  ])
  let text = ''
  child.stdout!.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number]
  if (code !== 0) throw new Error(`${kind} to ${address} from ${namespace} failed`)
  return Number(text)
}

function inside(namespace: string, command: readonly string[]): ChildProcess {
  return spawn('nsenter', [`--net=/run/netns/${namespace}`, ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}
