import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync } from 'node:fs'
import path from 'node:path'

/** The last commit before several machines, backups and upgrades: what the upgrade test starts from. */
export const formerCommit = '9a60745'

/** Whether this checkout has the former release in its history; a shallow clone has not. */
export function hasFormerRelease(root: string): boolean {
  try {
    execFileSync('git', ['-C', root, 'cat-file', '-e', `${formerCommit}^{commit}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * The former release in a folder of its own, with this checkout's npm packages (what it needed, we have) and its own
 * workspaces. Answers the folder; the caller removes it.
 */
export function checkOutFormerRelease(root: string): string {
  const dir = mkdtempSync('/tmp/mlold-')
  execFileSync('sh', ['-c', `git -C "$1" archive ${formerCommit} | tar -x -C "$2"`, 'sh', root, dir])
  const modules = path.join(dir, 'node_modules')
  mkdirSync(path.join(modules, '@mallee'), { recursive: true })
  for (const name of readdirSync(path.join(root, 'node_modules')))
    if (name !== '@mallee') symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  for (const group of ['apps', 'packages'])
    for (const name of readdirSync(path.join(dir, group)))
      symlinkSync(path.join(dir, group, name), path.join(modules, '@mallee', name))
  mkdirSync(path.join(dir, '.mallee'))
  for (const name of ['boot', 'cache'])
    symlinkSync(path.join(root, '.mallee', name), path.join(dir, '.mallee', name))
  // Its launcher compares the lock file with the installed one and would fetch everything anew.
  execFileSync('cp', [path.join(dir, 'package-lock.json'), path.join(dir, '.mallee', 'installed-lock.json')])
  return dir
}
