import { newToken, type Random } from '@mallee/base'

const idLength = 32
const tagLength = 8

/** Ends the names of all that one life of one worker writes: when it has died, that tells its leftovers from others'. */
export const newTag = (random: Random): string => newToken('', tagLength, random).toLowerCase()

/** From chance, and never from a key. */
export const newBlobId = (random: Random, tag: string): string =>
  newToken('', idLength - tag.length, random).toLowerCase() + tag

export const tagOf = (id: string): string => id.slice(-tagLength)
