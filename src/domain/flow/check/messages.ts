// Property "messages": money for another holder, and every answer of theirs. What is sent stands on `clearing:transit`
// from the event that sends it: credited there by the sender, debited by the receiver, in cases of their own. So the
// account drains over the pair of them, not in either: a sender that was accepted keeps its credit for good, and its
// receiver's debit is the other half. What is proven of each flow is its own half:
//
//   - sending: the event credits transit by exactly the `amount` that goes along with the message
//   - opened by a message: the event debits transit by exactly the `amount` that came
//   - refused: behind the answer the case has nothing on transit any more
//   - nothing else touches transit

import type { FlowCall } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { effectOn, type Passage, valueAfter } from "../prove/analysis.ts";
import { type Balance, balanceName, TRANSIT } from "../prove/facts.ts";
import { atom, type Linear, minus, plus, printLinear, ZERO } from "../prove/linear.ts";
import { evaluate } from "../prove/symbolic.ts";
import type { Way } from "../prove/way.ts";
import { callNamed } from "../walk.ts";
import { donePassages, faultOf, type Subject } from "./subject.ts";

const ANSWERS = ["accepted", "refused"];

export function checkMessages(proof: Proof, subject: Subject): void {
  const { flow } = subject;
  for (const call of flow.calls) if (call.to.kind === "message") checkResults(proof, call);
  for (const passage of donePassages(subject)) {
    for (const { symbol } of flow.currencies) checkTransit(proof, subject, passage, { path: TRANSIT, symbol });
  }
}

function checkResults(proof: Proof, { name, place, results }: FlowCall): void {
  const where = { property: "messages", place, part: `calls.${name}` } as const;
  for (const answer of ANSWERS) {
    if (results.some(({ result }) => result === answer)) continue;
    proof.fails(where, `the message ${name} has no event for the answer "${answer}"`);
  }
  for (const { result, place: at } of results) {
    if (ANSWERS.includes(result)) continue;
    proof.fails({ ...where, place: at }, `between lanes there is no "${result}": a message is accepted or refused`);
  }
}

function checkTransit(proof: Proof, subject: Subject, passage: Passage, transit: Balance): void {
  const { way } = passage;
  const { numbers } = way.situation;
  const where = {
    property: "messages",
    ...faultOf(subject, passage, (actions) => actions.some(({ kind }) => kind === "post")),
  } as const;
  if (isRefusal(subject, way)) {
    const isTracked = subject.analysis.balances.some((one) => balanceName(one) === balanceName(transit));
    const left = valueAfter(way, atom(balanceName(transit)), subject.analysis.balances);
    if (!isTracked || numbers.provesZero(left)) return;
    const claim = `not proven: what was refused is posted back from ${TRANSIT} in ${transit.symbol}`;
    return proof.fails(where, claim, `${printLinear(numbers.reduce(left))} may be left`);
  }
  const wanted = minus(receivedBy(subject, way, transit.symbol), sentBy(subject, way, transit.symbol));
  const off = minus(movedBy(subject, way, transit.symbol), wanted);
  if (numbers.provesZero(off)) return;
  const claim = `not proven: ${TRANSIT} is moved by what the event sends or receives in ${transit.symbol}`;
  proof.fails(where, claim, `off by ${printLinear(numbers.reduce(off))}`);
}

/** In a currency, by whatever symbol the lines name it. */
function movedBy({ flow }: Subject, way: Way, symbol: string): Linear {
  const symbols = flow.currencies.filter((one) => isIn({ kind: "money", symbol: one.symbol }, way, symbol));
  return symbols.reduce((sum, one) => plus(sum, effectOn(way, { path: TRANSIT, symbol: one.symbol })), ZERO);
}

function isRefusal({ flow }: Subject, { event }: Way): boolean {
  return flow.calls.some(
    ({ to, results }) =>
      to.kind === "message" && results.some((one) => one.result === "refused" && one.event === event),
  );
}

/** The sum of what goes along as `amount` with the messages of an event. */
function sentBy(subject: Subject, way: Way, symbol: string): Linear {
  let sent = ZERO;
  for (const { action, data } of way.steps) {
    const call = action.kind === "call" ? callNamed(subject.flow, action.call) : undefined;
    const amount = call?.to.kind === "message" ? call.payload.find(({ name }) => name === "amount") : undefined;
    if (amount === undefined || !isIn(subject.types.get(amount.value), way, symbol)) continue;
    const { flow } = subject;
    const value = evaluate({ flow, situation: way.situation, event: way.event, data, lets: new Map() }, amount.value);
    if (value.kind === "number") sent = plus(sent, value.linear);
  }
  return sent;
}

function receivedBy({ flow }: Subject, way: Way, symbol: string): Linear {
  if (way.start !== null || flow.start.kind !== "message") return ZERO;
  const fields = flow.events.find(({ event }) => event === way.event)?.fields ?? [];
  const amount = fields.find(({ name }) => name === "amount");
  return amount !== undefined && isIn(amount.type, way, symbol) ? atom("event.amount") : ZERO;
}

/** Whether money of a type is in the currency of a symbol, which may be the same by another name. */
function isIn(
  type: { readonly kind: string; readonly symbol?: string | null } | undefined,
  way: Way,
  symbol: string,
): boolean {
  if (type?.kind !== "money" || typeof type.symbol !== "string") return false;
  if (type.symbol === symbol) return true;
  const { words, but } = way.situation.wordsOf([type.symbol, symbol].sort().join(" == "));
  return !but && words.size === 1 && words.has("true");
}
