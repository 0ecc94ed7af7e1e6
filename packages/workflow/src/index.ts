export { ReconcilerQueue, type PassResult, type Reconciler, type ReconcilerStatus } from './reconciler.ts'
