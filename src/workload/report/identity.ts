// What an intent and its outcome have in common: the case and the key within it. As a hash of 64 bits, because millions of
// them may wait at a time and each takes 16 bytes then, whatever its names are. With four million that wait, one answer in
// four trillion finds a stranger's place.

export type Identity = { readonly caseId: string | null; readonly idempotencyKey: string | null };

const SEPARATOR = 0xffff;

/** Two words of 32 bits.
 *  @param into at least two long; written from `at` on */
export function hashIdentity({ caseId, idempotencyKey }: Identity, into: Uint32Array, at: number): void {
  let low = 0x2545f491;
  let high = 0x9e3779b9;
  const take = (code: number): void => {
    low = Math.imul(low ^ code, 0x5bd1e995);
    high = Math.imul((high << 7) ^ (high >>> 25) ^ code, 0x1b873593);
  };
  for (let i = 0; caseId !== null && i < caseId.length; i++) take(caseId.charCodeAt(i));
  take(SEPARATOR);
  for (let i = 0; idempotencyKey !== null && i < idempotencyKey.length; i++) take(idempotencyKey.charCodeAt(i));
  into[at] = mixed(low ^ (high >>> 13));
  into[at + 1] = mixed(high + Math.imul(low, 0x27d4eb2f));
}

/** Where records of `bench echo` carry their number, four bytes. */
export const NUMBER_AT = 0;

/** Of records that only carry a number. */
export function hashNumber(number: number, into: Uint32Array, at: number): void {
  into[at] = mixed(number);
  into[at + 1] = number;
}

function mixed(word: number): number {
  let bits = Math.imul(word ^ (word >>> 16), 0x7feb352d);
  bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
  return (bits ^ (bits >>> 16)) >>> 0;
}
