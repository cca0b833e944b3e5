// Amounts as people read them. Never read back: whatever computes takes the digits of minor units.

/** 1234n of scale 2 is "12.34"; -5n of scale 3 is "-0.005"; scale 0 has no point. */
export function formatDecimal(minor: bigint, scale: number): string {
  if (scale === 0) return minor.toString();
  const digits = (minor < 0n ? -minor : minor).toString().padStart(scale + 1, "0");
  return `${minor < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
