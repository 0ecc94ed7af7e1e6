import type { BlockDriver } from '../drivers/block-driver.ts'
import type { VolumeFileSystem } from '../host/file-system.ts'
import type { BlockRecipe } from '../host/storage-daemon.ts'
import type { TargetDaemon } from '../tgt/target-daemon.ts'

/** Volumes that the target daemon reaches through a storage daemon of their own. */
export interface ServedThrough {
  readonly folder: { own(): Promise<string>; readonly seen: string }
  /** Null for a volume that is a file by itself. */
  recipeOf(volumeId: string): BlockRecipe | null
  /** It was grown through its storage daemon. */
  onGrown?(volumeId: string, sizeBytes: number): void
}

/** What holds the volumes, and what serves them. */
export interface Backend {
  readonly driver: BlockDriver
  readonly daemon: TargetDaemon
  /** Where volumes are files of this machine's; null: they cannot come out of walrus while they are used. */
  readonly files: VolumeFileSystem | null
  readonly served: ServedThrough | null
  /** Whether volumes can be encrypted at rest here. */
  readonly encrypts: boolean
  /** Ends what is of use to this process alone. */
  stop(): Promise<void>
}
