// What an accepted event leaves behind: accounts, lines, cases with their timers and their memory, outcomes, commands and
// messages to other holders.

import type { SecondCase } from "./case-book.ts";
import { writeCaseId } from "./case-ids.ts";
import { type Called, derivedId, type Happening, type Remembering } from "./happening.ts";
import { heldWith, isWatched } from "./holdings.ts";
import { homeOf } from "./homes.ts";
import {
  accountKey,
  addAccount,
  type LaneLedger,
  type SecondAccount,
  type SecondCommand,
  type SecondLine,
  type SecondMessage,
  type SecondOrigin,
  type SecondOutcome,
  timerKey,
} from "./ledger.ts";
import { type Cause, emittedOutcome } from "./outcomes.ts";
import { at, textOf, Unreadable } from "./tree.ts";
import { durationMs, notBehind9999 } from "./values.ts";
import type { World } from "./world.ts";

/** Not numbered yet. */
export type UnsentMessage = Omit<SecondMessage, "sequence" | "from"> & {
  readonly from: Pick<SecondOrigin, "holderId" | "caseId" | "call" | "attempt">;
};

/** What a block's inputs make, gathered while they are decided. */
export type Gathered = {
  readonly lines: SecondLine[];
  readonly outcomes: SecondOutcome[];
  readonly commands: SecondCommand[];
  /** in the order in which they are sent; those to the own lane too */
  readonly messages: UnsentMessage[];
  /** cases that were opened or moved, or that remember an event more */
  readonly touched: Set<SecondCase>;
};

export function keepAll(
  world: World,
  ledger: LaneLedger,
  gathered: Gathered,
  cause: Cause,
  happening: Happening,
): void {
  const { told, turns } = happening;
  const first = ledger.outcomesNext;
  keepLines(ledger, gathered, happening);
  const lines = gathered.lines.slice(gathered.lines.length - happening.bookings.lines.length);
  for (const draft of happening.drafts.values()) {
    const own = isWatched(draft.flow) ? lines.filter(({ uuid }) => uuid === draft.uuid) : [];
    if (own.length > 0) draft.held = heldWith(draft.held, own);
    keepCase(ledger, gathered, draft);
  }
  for (const [index, one] of told.entries()) {
    gathered.outcomes.push(emittedOutcome(world.rules, ledger, cause, one, index));
    ledger.outcomesNext += 1n;
  }
  for (const [index, { uuid, remembering, state }] of turns.entries()) {
    const at = told.findIndex(({ turn }) => turn === index);
    remember(happening.draftOf(uuid), remembering, {
      block: ledger.block + 1n,
      sequence: at === -1 ? null : first + BigInt(at),
      state,
    });
  }
  for (const called of happening.calls) {
    if (called.what === "call") gathered.commands.push(commandOf(ledger, cause, called));
    else gathered.messages.push(questionOf(world, ledger, called));
  }
  ledger.commandsNext += BigInt(happening.calls.filter(({ what }) => what === "call").length);
}

/** `event|source|offset|block|sequence|state|fingerprint|key` */
export function remember(
  known: SecondCase,
  { event, source, offset, print, key }: Remembering,
  at: { readonly block: bigint; readonly sequence: bigint | null; readonly state: string },
): void {
  const line = `${event}|${source}|${offset}|${at.block}|${at.sequence ?? ""}|${at.state}|${print}|${key}`;
  known.history = [...known.history, line];
}

function keepLines(ledger: LaneLedger, gathered: Gathered, { bookings }: Happening): void {
  for (const account of bookings.opened.values()) {
    ledger.accountCount += 1n;
    const number = (BigInt(ledger.lane) << 40n) + ledger.accountCount;
    addAccount(ledger, { ...account, id: account.place.holderId === null ? -number : number });
  }
  for (const { debit, credit, currency, minor, uuid, posting } of bookings.lines) {
    const one = bookedOn(ledger, debit);
    const other = bookedOn(ledger, credit);
    one.debits += minor;
    other.credits += minor;
    gathered.lines.push({ debit: one.id, credit: other.id, currency, minor, uuid, posting });
  }
  if (bookings.change === null) return;
  const changed = bookedOn(ledger, bookings.change.account);
  changed.floorMinor = bookings.change.floorMinor;
  changed.status = bookings.change.status;
}

/** The account with its id, when it was opened only now. */
function bookedOn(ledger: LaneLedger, { path, currency, place }: SecondAccount): SecondAccount {
  const found = ledger.accounts.get(accountKey(path, currency, place));
  if (found === undefined) throw new Unreadable(`account ${path} ${currency} is not there`);
  return found;
}

function keepCase(ledger: LaneLedger, gathered: Gathered, draft: SecondCase): void {
  const { uuid } = draft;
  for (const [name, dueMs] of ledger.cases.look(uuid)?.timers ?? [])
    ledger.timers.delete(timerKey({ dueMs, uuid, name }));
  for (const [name, dueMs] of draft.timers) {
    const timer = { dueMs, uuid, name };
    ledger.timers.set(timerKey(timer), timer);
  }
  ledger.cases.set(draft);
  gathered.touched.add(draft);
}

// What is asked of others -------------------------------------------------------------------------------------------------

function commandOf(ledger: LaneLedger, { intent }: Cause, called: Extract<Called, { what: "call" }>): SecondCommand {
  const { one, name, attempt, payload, key, lifetimeMs, sinceMs } = called;
  const declared = at(one.flow.spec, "calls", name);
  const caseId = writeCaseId(one.kind, one.uuid);
  const timeout = durationMs(textOf(at(declared, "timeout"), `the timeout of ${name}`)) ?? 0n;
  return {
    commandId: `${caseId}/${name}/${attempt}`,
    caseId,
    holderId: one.holderId,
    call: name,
    op: textOf(at(declared, "op"), `what ${name} asks`),
    attempt,
    idempotencyKey: key,
    readOnly: at(declared, "read_only") === true,
    notAfter: BigInt(notBehind9999(BigInt(sinceMs) + (lifetimeMs ?? timeout))) * 1_000n,
    timeoutMs: Number(timeout),
    payload: { ...Object.fromEntries(payload), ...(one.parent === null ? {} : { parent: one.parent }) },
    traceparent: intent?.traceparent ?? null,
  };
}

/** Opens a case at another holder. */
function questionOf(
  world: World,
  ledger: LaneLedger,
  { one, name, attempt, payload, to }: Extract<Called, { what: "message" }>,
): UnsentMessage {
  const type = textOf(at(one.flow.spec, "calls", name, "message"), `what ${name} sends`);
  const flow = world.versionOf(({ startsOnMessage }) => startsOnMessage === type);
  const caseId = writeCaseId(one.kind, one.uuid);
  return {
    toLane: homeOf(to, world.rules.lanes),
    holderId: to,
    caseId: writeCaseId(flow?.caseKind ?? "", derivedId(one.uuid, [one.holderId, name, String(attempt)])),
    call: type,
    attempt,
    result: "asked",
    observation: `${caseId}/${name}/${attempt}/asked`,
    payload: Object.fromEntries(payload),
    occurredAt: BigInt(ledger.nowMs) * 1_000n,
    from: { holderId: one.holderId, caseId, call: name, attempt },
  };
}
