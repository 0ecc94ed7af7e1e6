import { runCrashPoints } from './run-crash-points.ts'

/** Every crash point of every workflow. */
export function longCrash(): Promise<boolean> {
  return runCrashPoints({})
}
