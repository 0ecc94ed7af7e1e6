const numbers: Readonly<Record<string, string>> = { tcp: '6', udp: '17', icmp: '1' }
const names: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '1': 'icmp' }

/** EC2 shows three protocols by name and keeps all by number (IANA); `-1` is every protocol. */
export function protocolName(number: string): string {
  return names[number] ?? number
}

export function protocolNumber(name: string): string {
  return numbers[name] ?? name
}
