/** The bucket of all snapshots, walrus' own: no tenant can name it. */
export const snapshotBucket = 'mallee-ebs'
