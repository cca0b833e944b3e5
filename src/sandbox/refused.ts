// A request that is turned away: nothing was done, and its key is as new as before.

export class Refused extends Error {
  override name = "Refused";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}
