// Postings of a flow file: named lists of lines `[debit, credit, currency, amount]`.

import type { Located, Place } from "../../located.ts";
import type { FlowLine, FlowPosting } from "../flow.ts";
import type { FlowReading } from "../flow-reading.ts";
import { POSTING_NAME } from "../names.ts";

export function readPostings(reading: FlowReading, node: Located | undefined): FlowPosting[] {
  const entries = (node && reading.entries(node, "postings")) ?? [];
  return entries.map(({ key, keyPlace, value }) => readPosting(reading, key, keyPlace, value));
}

function readPosting(reading: FlowReading, name: string, place: Place, node: Located): FlowPosting {
  if (!POSTING_NAME.test(name))
    reading.fault(place, `the name ${JSON.stringify(name)} must be letters, digits and underscores`);
  const row = reading.fields(node, `posting ${name}`, { required: ["title", "in", "lines"], optional: ["forced"] });
  return {
    place,
    name,
    title: reading.text(row?.get("title"), "title") ?? "",
    inputs: (reading.items(row?.get("in"), "in") ?? []).map((item) => reading.text(item, "an input's name") ?? ""),
    lines: (reading.items(row?.get("lines"), "lines") ?? []).map((item) => readLine(reading, item)),
    forced: reading.flag(row?.get("forced"), "forced"),
  };
}

function readLine(reading: FlowReading, node: Located): FlowLine {
  const items = reading.items(node, "a line") ?? [];
  if (node.kind === "list" && items.length !== 4) {
    reading.fault(node.place, `a line is [debit, credit, currency, amount], found ${items.length} values`);
  }
  const [debit, credit, currency, amount] = items;
  return {
    place: node.place,
    debit: reading.text(debit, "the debit account") ?? "",
    credit: reading.text(credit, "the credit account") ?? "",
    currency: reading.text(currency, "the currency") ?? "",
    amount: reading.text(amount, "the amount") ?? "",
  };
}
