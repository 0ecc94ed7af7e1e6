import { expect, it } from 'vitest'
import type { TestGuest } from '../src/test-guest.ts'
import { ethernet, ipv4, udp, vxlan } from '../src/frames.ts'
import { lanMac } from './lan-items.ts'
import { connects, ip, open, type Guest, type World } from './lan-world.ts'
import { allow } from './network-driver.ts'
import { eventually } from './network-world.ts'

/** What guests and outsiders try against a neighbour on another node. */
export function trespass(world: World, guest: Guest): void {
  it('takes nothing out of a tunnel from who is no node', async () => {
    await world().wish({ ingress: open })
    const node = world().lan.nodes[1]!.address
    for (const from of [guest('p'), guest('q'), world().lan.host])
      await injectVxlan(from.exec, node, 'injected')
    // The same from a node is taken: so the frame is one that tunnels carry.
    const byNode: TestGuest['exec'] = (file, args) => world().lan.exec(world().lan.nodes[0]!.name, file, args)
    await injectVxlan(byNode, node, 'by a node')
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('by a node')),
    )
    expect(heard.some((line) => line === `${ip('q')}:5000 by a node`)).toBe(true)
    expect(heard.some((line) => line.endsWith('injected'))).toBe(false)
  })

  it('lets nobody outside speak as a guest, not even by an address that no guest has', async () => {
    await world().wish({ ingress: { p: [allow(17, 5_000, 5_000, { cidr: '10.7.0.0/16' })] } })
    const { host } = world().lan
    await host.ip('address add 10.7.77.7/32 dev lo')
    await host.sendUdp({ address: '198.19.77.30', port: 5_000, sourceAddress: '10.7.77.7', text: 'forged' })
    await host.ip('address del 10.7.77.7/32 dev lo')
    await guest('r').sendUdp({ address: ip('p'), port: 5_000, text: 'honest' })
    const heard = await eventually(
      () => guest('p').receivedUdp(),
      (said) => said.some((line) => line.endsWith('honest')),
    )
    expect(heard.some((line) => line.endsWith('honest'))).toBe(true)
    expect(heard.some((line) => line.endsWith('forged'))).toBe(false)
  })

  it('takes nothing out of a tunnel that came to another address of the node', async () => {
    await world().wish({ ingress: open })
    const node = world().lan.nodes[1]!.name
    const other = '198.18.0.112'
    await world().lan.exec(node, 'ip', ['address', 'add', `${other}/24`, 'dev', 'uplink'])
    const byNode: TestGuest['exec'] = (file, args) => world().lan.exec(world().lan.nodes[0]!.name, file, args)
    await injectVxlan(byNode, other, 'misdirected')
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text: 'genuine' })
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('genuine')),
    )
    await world().lan.exec(node, 'ip', ['address', 'del', `${other}/24`, 'dev', 'uplink'])
    expect(heard.some((line) => line.endsWith('genuine'))).toBe(true)
    expect(heard.some((line) => line.endsWith('misdirected'))).toBe(false)
  })

  it("carries no frame of a guest that bears a neighbour's address to another node", async () => {
    await world().wish({ ingress: open })
    await guest('q').ip('addr add 10.7.2.77/24 dev eth0')
    const spoofed = { address: ip('s'), port: 5_000, sourceAddress: '10.7.2.77', text: 'spoofed' }
    await guest('q').sendUdp(spoofed)
    await guest('q').ip('addr del 10.7.2.77/24 dev eth0')
    await guest('q').sendUdp({ address: ip('s'), port: 5_000, text: 'honest' })
    const heard = await eventually(
      () => guest('s').receivedUdp(),
      (said) => said.some((line) => line.endsWith('honest')),
    )
    expect(heard.some((line) => line.endsWith('honest'))).toBe(true)
    expect(heard.some((line) => line.endsWith('spoofed'))).toBe(false)
  })

  it('learns nothing from a guest that is still plugged in where its interface is no more', async () => {
    await world().wish({ ingress: open })
    expect(await connects(guest('q'), ip('s'))).toBe(true)
    const node = world().lan.nodes[1]!.name
    await world().wish({ ingress: open, moved: { s: 0 } })
    await guest('s').exec('sh', ['-c', `busybox arping -c 2 -I eth0 ${ip('q')} || true`])
    const known = await world().lan.exec(node, 'bridge', ['fdb', 'show', 'br', 'br20'])
    await world().wish({ ingress: open })
    expect(known.split('\n').filter((line) => line.startsWith('02:00:5e:00:01:73 dev vn'))).toEqual([])
  })

  it('floods nothing: who asks for an unknown neighbour is heard on no other node', async () => {
    await world().wish({ ingress: open })
    const seen = async () =>
      Number(
        (
          await world().lan.exec(world().lan.nodes[1]!.name, 'sh', [
            '-c',
            "awk '/uplink/ { print $3 }' /proc/net/dev",
          ])
        ).trim(),
      )
    const before = await seen()
    await guest('q').exec('sh', [
      '-c',
      'for i in 40 41 42 43 44; do busybox ping -c 1 -W 1 10.7.2.$i & done; wait',
    ])
    expect((await seen()) - before).toBeLessThan(5)
  })
}

/** A neighbour's datagram to s, in VXLAN's clothes, as a program could send it. */
async function injectVxlan(send: TestGuest['exec'], node: string, text: string): Promise<void> {
  const datagram = ipv4({ from: ip('q'), to: ip('s'), protocol: 17, payload: udp(5_000, 5_000, text) })
  const frame = vxlan(72, ethernet({ from: lanMac('q'), to: lanMac('s'), payload: datagram }))
  const program = `const s=require('dgram').createSocket('udp4');s.send(Buffer.from('${frame.toString('hex')}','hex'),14789,'${node}',()=>s.close())`
  await send(process.execPath, ['-e', program])
}
