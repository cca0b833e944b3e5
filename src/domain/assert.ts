// What must be true is asserted on both sides of a boundary. A failed assertion is a bug of ours: the process stops and
// writes nothing more. Bad input from outside is never an assertion, it is a refusal or a quarantine.

export class AssertionFailed extends Error {
  override name = "AssertionFailed";
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionFailed(what);
}

/** For where every event passes: the words of a message are put together before `assert` is called, needed or not. */
export function failed(what: string): never {
  throw new AssertionFailed(what);
}

export function unreachable(value: never): never {
  throw new AssertionFailed(`unreachable: ${String(value)}`);
}
