import { hash, verify } from '@node-rs/argon2'

/** OWASP's floor for argon2id: 19 MiB, 2 passes, 1 lane. */
const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** Verified for accounts that do not exist, so that an answer takes as long. */
const NOBODY =
  '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$3C7cSjIXyLjyN0lMJ9Bn1Gf7dRXnT0c2mRZ6y1mO3eA'

export async function hashPassword(password: string): Promise<string> {
  return await hash(password.normalize('NFC'), ARGON2)
}

/** False for an account without a password, after as long a time. */
export async function isPassword(
  passwordHash: string | null | undefined,
  password: string,
): Promise<boolean> {
  return (
    (await verify(passwordHash ?? NOBODY, password.normalize('NFC')).catch(() => false)) &&
    passwordHash !== null &&
    passwordHash !== undefined
  )
}
