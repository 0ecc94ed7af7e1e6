import { expect, test } from 'vitest'
import { guestOf, isOurs } from './own-domains.ts'

const folder = '/var/lib/mallee/node/instances'

test('ours is what names a file below our folder, and not below another that ends like it', () => {
  expect(isOurs(`<source file='${folder}/1/i-1/link-to-vda'/>`, folder)).toBe(true)
  expect(isOurs(`<source file='/mnt${folder}/1/i-1/link-to-vda'/>`, folder)).toBe(false)
  expect(isOurs(`<source file='${folder}-old/1/i-1/link-to-vda'/>`, folder)).toBe(false)
  expect(isOurs('<source file="/srv/web.img"/>', folder)).toBe(false)
})

test('a process is ours by its name and its files, both', () => {
  const words = (name: string, file: string) =>
    ['/usr/bin/qemu-system-x86_64', '-name', `guest=${name},debug-threads=on`, '-drive', `file=${file}`].join(
      '\0',
    )
  const id = 'i-0123456789abcdef0'
  expect(guestOf(words(id, `${folder}/1/${id}/root`), folder)).toBe(id)
  expect(guestOf(words(id, '/srv/disk'), folder)).toBeNull()
  expect(guestOf(words('web', `${folder}/1/${id}/root`), folder)).toBeNull()
  expect(guestOf(['grep', `guest=${id}`, `${folder}/`].join('\0'), folder)).toBeNull()
  expect(guestOf('', folder)).toBeNull()
})
