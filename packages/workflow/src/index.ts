export {
  ReconcilerQueue,
  type PassObserver,
  type PassResult,
  type Reconciler,
  type ReconcilerStatus,
} from './reconciler.ts'
