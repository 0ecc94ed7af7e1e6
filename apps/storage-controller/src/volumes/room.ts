import { MalleeError, MiB } from '@mallee/base'

/** With less room than this nothing new is begun: what is there may still have to grow. */
export const reserveBytes = 256 * MiB

export function noRoom(): MalleeError {
  return new MalleeError({
    code: 'StorageFull',
    publicMessage: 'The storage controller has no room for the volume.',
  })
}
