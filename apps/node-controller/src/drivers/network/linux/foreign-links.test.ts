import { describe, expect, it } from 'vitest'
import { refuseForeignBridge, refuseForeignPort, refuseForeignTunnel } from './foreign-links.ts'
import { bridgeMac, linkAlias } from './names.ts'

const link = { name: 'vx1', alias: null, master: null, up: true, mac: '02:00:00:00:00:01' }
const taken = { code: 'LinkTaken' }
const own = '198.18.0.2'

describe('a link that is called like ours', () => {
  it('is refused where it is somebody else’s', () => {
    for (const refuse of [
      () => refuseForeignBridge(link, 1),
      () => refuseForeignTunnel(link, own),
      () => refuseForeignTunnel({ ...link, kind: 'vxlan', local: '198.18.0.3' }, own),
      () => refuseForeignPort({ ...link, kind: 'dummy' }),
    ])
      expect(refuse).toThrow(expect.objectContaining(taken))
  })

  it('is taken up where it is ours, dressed or not', () => {
    refuseForeignTunnel(undefined, own)
    refuseForeignTunnel({ ...link, alias: linkAlias }, own)
    refuseForeignTunnel({ ...link, kind: 'vxlan', local: own }, own)
    refuseForeignBridge({ ...link, mac: bridgeMac(1) }, 1)
    refuseForeignPort({ ...link, kind: 'veth' })
  })
})
