// What a lane's outcomes say about cases, kept by sequence until the cases are read: eight bytes a message, for one lane
// at a time. Cases come in the order of their ids and outcomes in the order of their blocks, so one of the two has to be
// remembered.

/** Whether the case must remember the event that an outcome answers. */
export type Memory = "none" | "may" | "must";

const MEMORY: Record<Memory, number> = { none: 0, may: 1, must: 2 };
const SEEN = 3;
/** Block of an outcome of which nothing is known any more. */
const UNKNOWN_BLOCK = 0xffff_ffff;
const FIRST_SIZE = 1 << 12;
/** A damaged sequence must not ask for all the memory there is. */
const SIZE_MAX = 1 << 29;

export class OutcomeTable {
  #cases = new Uint32Array(FIRST_SIZE);
  #blocks = new Uint32Array(FIRST_SIZE);
  #memory = new Uint8Array(FIRST_SIZE);
  #size = 0;

  /** @param caseId 32 hex digits; null when the outcome names none */
  set(sequence: bigint, caseId: string | null, block: bigint, memory: Memory): void {
    const at = Number(sequence);
    if (at >= SIZE_MAX) return;
    if (at >= this.#cases.length) this.#grow(at);
    this.#cases[at] = caseId === null ? 0 : shortOf(caseId);
    this.#blocks[at] = Number(block);
    this.#memory[at] = MEMORY[memory];
    if (at >= this.#size) this.#size = at + 1;
  }

  /** An outcome that is gone from outbox and topic: whatever a case remembers of it is believed. */
  setUnknown(sequence: bigint): void {
    this.set(sequence, null, BigInt(UNKNOWN_BLOCK), "none");
  }

  /** Looks up what a case remembers, and notes that it does.
   *  @returns null when they agree, else what is wrong */
  remembered(sequence: bigint, caseId: string, block: bigint): string | null {
    const at = Number(sequence);
    if (at < 0 || at >= this.#size || this.#blocks[at] === 0) return "is not there";
    if (this.#blocks[at] === UNKNOWN_BLOCK) return null;
    if (this.#cases[at] !== shortOf(caseId)) return "is of another case";
    if (this.#blocks[at] !== Number(block)) return `is of block ${this.#blocks[at]}`;
    if (this.#memory[at] === MEMORY.none) return "answers an intent that no case may remember";
    if (this.#memory[at] === SEEN) return "is remembered twice";
    this.#memory[at] = SEEN;
    return null;
  }

  /** Sequences of outcomes that a case must remember and none does. */
  *forgotten(): Iterable<number> {
    for (let at = 0; at < this.#size; at++) if (this.#memory[at] === MEMORY.must) yield at;
  }

  #grow(at: number): void {
    const size = Math.min(Math.max(this.#cases.length * 2, at + 1), SIZE_MAX);
    const grown = <Kind extends Uint32Array | Uint8Array>(larger: Kind, old: Kind): Kind => {
      larger.set(old);
      return larger;
    };
    this.#cases = grown(new Uint32Array(size), this.#cases);
    this.#blocks = grown(new Uint32Array(size), this.#blocks);
    this.#memory = grown(new Uint8Array(size), this.#memory);
  }
}

/** The last 32 bits of an id, which are chance or a hash; enough to tell a wrong case, one in four billion aside. */
function shortOf(caseId: string): number {
  return Number.parseInt(caseId.slice(24), 16);
}
