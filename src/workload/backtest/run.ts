// One of the two runs: its lanes, and a block of one of them, input by input.

import type { Books, IntentInput, LaneMessage, ReportInput, TimerKey } from "../../domain/books.ts";
import { decideIntent, decideReport, decideTimer } from "../../domain/decide/decide.ts";
import { byPosition } from "./recorded-cases.ts";
import { type BlockGround, RunLane, type Tried } from "./run-lane.ts";

/** More messages within a lane than a block's inputs can cause: the candidate asks itself without end. */
const OWN_MESSAGES_MAX = 100_000;

export class Run {
  readonly #lanes = new Map<number, RunLane>();
  /** timers that the recording has not fired, by lane, in their order */
  readonly #own = new Map<number, TimerKey[]>();

  lane(lane: number): RunLane {
    const known = this.#lanes.get(lane);
    if (known !== undefined) return known;
    const made = new RunLane(lane);
    this.#lanes.set(lane, made);
    return made;
  }

  get lanes(): Iterable<RunLane> {
    return this.#lanes.values();
  }

  /** A timer that the recording does not tell of. */
  keep(lane: number, timer: TimerKey): void {
    const timers = this.#own.get(lane) ?? [];
    let [low, high] = [0, timers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (byPosition(timers[middle] as TimerKey, timer) < 0) low = middle + 1;
      else high = middle;
    }
    timers.splice(low, 0, timer);
    this.#own.set(lane, timers);
  }

  /** Of those that were kept: what is due by then and still waited for, but for those that `isLeft` leaves for later. */
  due(lane: number, untilMs: number, isLeft: (timer: TimerKey) => boolean): TimerKey[] {
    const timers = this.#own.get(lane) ?? [];
    const end = timers.findIndex(({ dueMs }) => dueMs > untilMs);
    const passed = timers.splice(0, end === -1 ? timers.length : end).filter((one) => this.lane(lane).waitsFor(one));
    timers.unshift(...passed.filter(isLeft));
    return passed.filter((one) => !isLeft(one));
  }
}

/** A block of a run; it remembers what its inputs sent. */
export class RunBlock {
  readonly lane: RunLane;
  readonly #ground: BlockGround;
  readonly #own: LaneMessage[] = [];
  readonly commands: Books["commands"] = [];
  /** to other lanes */
  readonly messages: LaneMessage[] = [];
  readonly armed: TimerKey[] = [];
  lines = 0;

  constructor(lane: RunLane, ground: BlockGround) {
    this.lane = lane;
    this.#ground = ground;
  }

  get rules(): BlockGround["rules"] {
    return this.#ground.rules;
  }

  intent(input: IntentInput): Tried {
    return this.#take((books) => decideIntent(books, input));
  }

  report(input: ReportInput): Tried {
    return this.#take((books) => decideReport(books, input));
  }

  timer(timer: TimerKey): Tried {
    return this.#take((books) => decideTimer(books, { kind: "timer", timer }));
  }

  /** Takes what the block sent to its own lane, answers too, until nothing is left. */
  *settle(): Generator<{ readonly input: ReportInput; readonly tried: Tried }> {
    for (let taken = 0; taken < this.#own.length; taken++) {
      const message = this.#own[taken] as LaneMessage;
      const sequence = this.lane.nextMessage();
      const from = { ...message.report.from, lane: this.lane.lane, sequence, block: this.#ground.block };
      const report = { ...message.report, from };
      const id = `m-${this.lane.lane}-${sequence}`;
      const input: ReportInput = { kind: "report", id, source: "m", offset: sequence, report };
      const tried: Tried =
        taken < OWN_MESSAGES_MAX
          ? this.report(input)
          : { kind: "undecidable", why: `a block sends more than ${OWN_MESSAGES_MAX} messages to its own lane` };
      yield { input, tried };
      if (taken >= OWN_MESSAGES_MAX) return;
    }
  }

  #take(work: (books: Books) => unknown): Tried {
    const tried = this.lane.try(this.#ground, work);
    if (tried.kind === "undecidable") return tried;
    const { messages, commands, timersArmed, lines } = tried.books;
    for (const one of messages) (one.toLane === this.lane.lane ? this.#own : this.messages).push(one);
    this.commands.push(...commands);
    this.armed.push(...timersArmed);
    this.lines += lines.length;
    return tried;
  }
}
