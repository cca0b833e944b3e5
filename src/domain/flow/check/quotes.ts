// Property "references", of flows whose cases are quotes: the core reads them by name (src/domain/fx/quotes.ts), and a payment
// that takes an amount out of one tells it so. A quote that does not listen would be taken again and again.

import { ACTIVE, CONSUME_EVENT, QUOTE_FAMILY } from "../../fx/quotes.ts";
import type { ValueType } from "../expression.ts";
import type { Flow, NamedType } from "../flow.ts";
import type { Proof } from "../proof.ts";
import { printType } from "../types/kinds.ts";
import { eventNamed, stateNamed } from "../walk.ts";

const OF_G: ValueType = { kind: "money", symbol: "G" };
const OF_R: ValueType = { kind: "money", symbol: "R" };
const KEPT: Readonly<Record<string, ValueType>> = {
  gives: OF_G,
  taken: OF_G,
  receives: OF_R,
  spread: OF_R,
  by: { kind: "text" },
};
const TOLD: Readonly<Record<string, ValueType>> = { amount: OF_G, by: { kind: "text" } };

export function checkQuotes(proof: Proof, flow: Flow): void {
  if (flow.family !== QUOTE_FAMILY) return;
  const where = { property: "references", place: flow.place } as const;
  for (const [name, type] of Object.entries(KEPT)) {
    const field = flow.data.find((one) => one.name === name);
    if (field !== undefined && isSame(field, type)) continue;
    const place = field?.place ?? flow.place;
    proof.fails({ ...where, place }, `a quote keeps ${name} as ${printType(type)}, which the core reads`);
  }
  for (const field of flow.events.find(({ event }) => event === CONSUME_EVENT)?.fields ?? []) {
    const type = Object.hasOwn(TOLD, field.name) ? TOLD[field.name] : undefined;
    if (type !== undefined && isSame(field, type)) continue;
    const carried = Object.entries(TOLD).map(([name, one]) => `${name} as ${printType(one)}`);
    proof.fails(
      { ...where, place: field.place },
      `${CONSUME_EVENT} carries ${carried.join(" and ")}, and nothing else`,
    );
  }
  const active = stateNamed(flow, ACTIVE);
  if (active !== undefined && eventNamed(active, CONSUME_EVENT) !== undefined) return;
  const message = `a quote is good in the state ${ACTIVE} and must hear there what is taken of it: ${CONSUME_EVENT}`;
  proof.fails({ ...where, place: active?.place ?? flow.place }, message);
}

function isSame({ type }: Pick<NamedType, "type">, wanted: ValueType): boolean {
  return JSON.stringify(type) === JSON.stringify(wanted);
}
