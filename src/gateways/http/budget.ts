// How many calls may be made again. Each call earns a part of a repeat, so that an outage at a provider, when every call
// fails, is not answered with several times as many.

export class RepeatBudget {
  readonly #share: number;
  readonly #savedMax: number;
  #saved: number;

  /** @param share    repeats for each call, below 1
   *  @param savedMax how many can be saved up, and are there at the start */
  constructor(share: number, savedMax: number) {
    this.#share = share;
    this.#savedMax = savedMax;
    this.#saved = savedMax;
  }

  earn(): void {
    this.#saved = Math.min(this.#savedMax, this.#saved + this.#share);
  }

  /** @returns whether one more may be made */
  spend(): boolean {
    if (this.#saved < 1) return false;
    this.#saved -= 1;
    return true;
  }
}
