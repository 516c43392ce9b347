import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'

/** Cost of scrypt (RFC 7914): 2^15 blocks of 1 KiB x 8, three times; 32 MiB and some 200 ms per guess. */
const COST = { ln: 15, r: 8, p: 3 }
const SALT_BYTES = 16
const HASH_BYTES = 32
const PHC = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

/** Verified at the cost of any other hash, and matches no secret: for names that no operator has. */
export const UNMATCHABLE_HASH = format(COST, Buffer.alloc(SALT_BYTES), Buffer.alloc(HASH_BYTES))

/** The scrypt hash of a secret with a salt of its own: `$scrypt$ln=,r=,p=$salt$hash`, the PHC string format. */
export async function hashSecret(secret: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  return format(COST, salt, await derive(secret, salt, HASH_BYTES, COST))
}

/** Takes the same time for a right and a wrong secret; the cost is the one that the hash was made with. */
export async function verifySecret(secret: string, stored: string): Promise<boolean> {
  const match = PHC.exec(stored)
  if (match === null) throw new TypeError('a stored secret hash is not in the PHC format of scrypt')
  const [, ln, r, p, salt, hash] = match as unknown as [string, string, string, string, string, string]
  const expected = Buffer.from(hash, 'base64')
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) }
  const derived = await derive(secret, Buffer.from(salt, 'base64'), expected.length, cost)
  return timingSafeEqual(derived, expected)
}

function derive(secret: string, salt: Buffer, bytes: number, { ln, r, p }: typeof COST): Promise<Buffer> {
  const N = 2 ** ln
  const options: ScryptOptions = { N, r, p, maxmem: 2 * 128 * N * r }
  return new Promise((resolve, reject) => {
    scrypt(secret.normalize('NFKC'), salt, bytes, options, (error, hash) => (error ? reject(error) : resolve(hash)))
  })
}

function format({ ln, r, p }: typeof COST, salt: Buffer, hash: Buffer): string {
  const text = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`
}
