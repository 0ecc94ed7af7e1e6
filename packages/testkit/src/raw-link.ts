import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { run } from './program.ts'

/**
 * Frames as they are, out of a link and into it. Node has no packet sockets; Perl, which every Debian has, opens them
 * without a module: PF_PACKET is 17, SIOCGIFINDEX 0x8933, and the address is the `sockaddr_ll` of packet(7).
 */
const openSocket = `
socket(my $s, 17, 3, 0) or die "no packet socket: $!";
my $request = pack('a16 x24', $ARGV[0]);
ioctl($s, 0x8933, $request) or die "no link $ARGV[0]: $!";
my $index = unpack('x16 i', $request);
sub place { pack('S n i S C C a8', 17, $_[0], $index, 0, 0, 6, '') }
`
const sender = `${openSocket}
while (my $line = <STDIN>) { chomp $line; send($s, pack('H*', $line), 0, place(0)) or $! == 105 or die "not sent: $!" }`
/** Outgoing frames (type 4) are the link's own, and not told. */
const listener = `${openSocket}
$| = 1;
bind($s, place(3)) or die "not bound: $!";
print "ready\\n";
while (defined(my $from = recv($s, my $frame, 65535, 0))) {
  print unpack('H*', $frame), "\\n" unless unpack('x10 C', $from) == 4;
}`

const perl = (namespace: string, program: string, link: string) =>
  [`--net=/run/netns/${namespace}`, 'perl', '-e', program, link] as const

/** Sends frames out of a link, one after the other; what the other end of the link refuses (ENOBUFS) is lost. */
export async function sendFrames(namespace: string, frames: readonly Buffer[], link = 'eth0'): Promise<void> {
  const input = frames.map((frame) => `${frame.toString('hex')}\n`).join('')
  await run('nsenter', perl(namespace, sender, link), { input })
}

export interface RawListener {
  /** Whether any frame that came in so far bears these words. */
  heard(words: string): boolean
  end(): Promise<void>
}

/** Hears every frame that comes in on a link, whomever it is for. */
export async function listenToLink(namespace: string, link = 'eth0'): Promise<RawListener> {
  const child = spawn('nsenter', perl(namespace, listener, link), { stdio: ['ignore', 'pipe', 'inherit'] })
  const frames: string[] = []
  const lines = createInterface({ input: child.stdout })
  const ready = new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error(`nobody listens to ${link}`)))
    lines.on('line', (line) => (line === 'ready' ? resolve() : frames.push(line)))
  })
  await ready
  return {
    heard: (words) => frames.some((frame) => frame.includes(Buffer.from(words).toString('hex'))),
    async end() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
