// Security codes, PINs and tracks have no check digit: they are known by the name that they are sent under.

const CODE = /^\d{3,4}$/;
const PIN = /^\d{4,12}$/;
const BLOCK = /^[0-9a-f]{16}$/i;
const TRACK = /\d{13}/;

const FORMS: Readonly<Record<string, RegExp>> = {
  cvv: CODE,
  cvv2: CODE,
  cvc: CODE,
  cvc2: CODE,
  cid: CODE,
  csc: CODE,
  cav2: CODE,
  pin: PIN,
  pinblock: BLOCK,
  track: TRACK,
  track1: TRACK,
  track2: TRACK,
};

/** Whether name and value are those of a card's secret; how the name is spelled (`CVC-2`, `pin_block`) does not matter. */
export function holdsCardSecret(name: string, value: string): boolean {
  if (name.length > 12) return false;
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, "");
  return Object.hasOwn(FORMS, plain) && (FORMS[plain] as RegExp).test(value);
}
