/** What an account demands of passwords. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html */
import { dayMs } from '@mallee/base'

export interface PasswordPolicy {
  readonly MinimumPasswordLength: number
  readonly RequireSymbols: boolean
  readonly RequireNumbers: boolean
  readonly RequireUppercaseCharacters: boolean
  readonly RequireLowercaseCharacters: boolean
  readonly AllowUsersToChangePassword: boolean
  /** Days; 0 is for ever. */
  readonly MaxPasswordAge: number
  /** How many passwords before may not be used again; 0 is none. */
  readonly PasswordReusePrevention: number
  readonly HardExpiry: boolean
}

/** What a policy says that names nothing. */
export const emptyPasswordPolicy: PasswordPolicy = {
  MinimumPasswordLength: 6,
  RequireSymbols: false,
  RequireNumbers: false,
  RequireUppercaseCharacters: false,
  RequireLowercaseCharacters: false,
  AllowUsersToChangePassword: false,
  MaxPasswordAge: 0,
  PasswordReusePrevention: 0,
  HardExpiry: false,
}

const kinds = {
  RequireUppercaseCharacters: [/[A-Z]/, 'one uppercase letter'],
  RequireLowercaseCharacters: [/[a-z]/, 'one lowercase letter'],
  RequireNumbers: [/[0-9]/, 'one number'],
  RequireSymbols: [/[!@#$%^&*()_+\-=[\]{}|']/, 'one symbol'],
} as const

/** Why it may not be the password of a user of that account; null where it may. `policy` null: AWS's own default. */
export function passwordFault(
  password: string,
  policy: PasswordPolicy | null,
  accountName: string,
): string | null {
  const least = policy?.MinimumPasswordLength ?? 8
  if (password.length < least) return `Password should have a minimum length of ${least}`
  if (!policy) {
    const present = Object.values(kinds).filter(([pattern]) => pattern.test(password)).length
    if (present < 3)
      return 'Password should have three of uppercase letters, lowercase letters, numbers and symbols'
    return password === accountName ? 'Password should not be the name of the account' : null
  }
  for (const [name, [pattern, words]] of Object.entries(kinds))
    if (policy[name as keyof typeof kinds] && !pattern.test(password))
      return `Password should have at least ${words}`
  return null
}

/** Whether the password has passed the age that its policy allows. */
export function isPasswordExpired(
  policy: PasswordPolicy | null,
  changedAtMs: number,
  nowMs: number,
): boolean {
  const days = policy?.MaxPasswordAge ?? 0
  return days > 0 && nowMs - changedAtMs > days * dayMs
}
