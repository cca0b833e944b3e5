// A version that only its cases live by, beside what is declared today: whatever it opens, asks, hears or tells must still
// be there, or nothing starts. Here the older version is what differs, so that nothing has to be proven anew.

import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Declared, DeclaredFaults, loadDeclared, loadKept } from "../../src/declared/load.ts";
import { placeOf, RETIRED_FLOWS, replaceOnce, SHIPPED_SCHEMAS, textOf } from "../support/faulty.ts";
import { BASES } from "./flows/wrong/wrong.ts";

const declared = loadDeclared(SHIPPED_SCHEMAS);

type Change = readonly [old: string, by: string];

/** A shipped flow as it might have been before. */
function older(name: keyof typeof BASES, ...changes: readonly Change[]): string {
  const aged = BASES[name].replace(/version: \d+\.\d+\.\d+/, "version: 0.9.0");
  return changes.reduce((text, [old, by]) => replaceOnce(text, old, by), aged);
}

/** What is wrong with today's files for cases of that version. */
function faultsFor(source: string, today: Declared = declared): string[] {
  const [, name = ""] = /metadata: \{ name: (\w+),/.exec(source) ?? [];
  try {
    loadKept(today, [{ name, version: "0.9.0", source }]);
    return [];
  } catch (error) {
    if (!(error instanceof DeclaredFaults)) throw error;
    return error.message.replaceAll(`${SHIPPED_SCHEMAS}/`, "").split("\n");
  }
}

const line = (text: string, marker: string, nth = 1): string => placeOf(text, marker, nth).split(":")[0] ?? "";
const stuck = (name: string, at: string): string =>
  `cases still live by ${name}@0.9.0 (line ${at}), which nothing can change`;
const asIs = (name: string): string => `leave ${name} as it is for them, and declare the changed flow by another name`;

test("lets pass what fits, and what is declared itself", () => {
  for (const name of ["card", "refund", "transfer", "transfer_in", "open"] as const)
    expect(faultsFor(older(name)), name).toEqual([]);
  const source = textOf(join(RETIRED_FLOWS, "transfer-1.0.0.flow.yaml"));
  expect(loadKept(declared, [{ name: "transfer", version: "1.0.0", source }])).toHaveLength(1);
  expect(loadKept(declared, [{ name: "card", version: "1.0.0", source: "not looked at" }])).toEqual([]);
});

describe("refuses, naming both files, the field and what to do:", () => {
  test("a child that takes a field which its older parent does not give, of another type, or not any more", () => {
    const given = "rated: x, debit: debit, provider: data.provider, seq: data.refunds";
    const lacking = older("card", [given, "rated: x, debit: debit, provider: data.provider"]);
    const spawn = line(lacking, "spawn: refund");
    expect(faultsFor(lacking)).toEqual([
      `flows/refund.flow.yaml:${placeOf(BASES.refund, "seq: {")}: together: refund is opened without "seq", which its spawn event carries; ${stuck("card", spawn)}: ${asIs("refund")}`,
    ]);
    const other = older("card", [given, "rated: x, debit: debit, provider: data.provider, seq: data.provider"]);
    expect(faultsFor(other)).toEqual([
      expect.stringContaining('refund is spawned with "seq" as a text, where an int is taken'),
    ]);
    const more = older("card", [given, `${given}, tip: 0`]);
    expect(faultsFor(more)).toEqual([expect.stringContaining('refund takes no "tip" when it is spawned')]);
  });

  test("a child that is not there, or is opened otherwise", () => {
    const gone = older("card", ["spawn: refund", "spawn: reversal"]);
    expect(faultsFor(gone)).toEqual([
      `card@0.9.0:${placeOf(gone, "reversal")}: together: there is no flow reversal to spawn; ${stuck("card", line(gone, "spawn: reversal"))}: go on declaring reversal`,
    ]);
    const otherwise = older("card", ["spawn: refund", "spawn: transfer_in"]);
    expect(faultsFor(otherwise)).toEqual([
      expect.stringContaining("flows/transfer_in.flow.yaml:8:14: together: transfer_in does not start on a spawn"),
    ]);
  });

  test("a child that tells less than its older parent reads, or nothing at all", () => {
    const more = older("card", [
      "child.refund.failed:     { amount: { money: S },",
      "child.refund.failed:     { amount: { money: S }, why: text,",
    ]);
    const told = [1, 2].map((nth) => line(BASES.refund, "tell: failed", nth));
    const faults = faultsFor(more);
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults)
      expect(fault).toMatch(
        /^flows\/refund\.flow\.yaml:\d+:\d+: together: refund tells "failed" without "why" \(line \d+\), which card reads; /,
      );
    expect(faults[0]).toContain(`flows/refund.flow.yaml:${told[0]}:`);
    const silent = older("card", ["child.refund.reinstated: {", "child.refund.lost: {"]).replaceAll(
      "child.refund.reinstated:",
      "child.refund.lost:",
    );
    expect(faultsFor(silent)).toEqual([expect.stringContaining('together: refund never tells "lost"')]);
  });

  test("a receiver of messages that is not there, or takes what its older sender does not say", () => {
    const gone = older("transfer", ["message: transfer_credit", "message: transfer_push"]);
    expect(faultsFor(gone)).toEqual([
      `transfer@0.9.0:${placeOf(gone, "credit:")}: together: no flow starts on the message transfer_push that credit sends; ${stuck("transfer", line(gone, "credit:"))}: go on declaring a flow that starts on it`,
    ]);
    const lacking = older("transfer", ["account: intent.to, amount", "amount"]);
    expect(faultsFor(lacking)).toEqual([
      `flows/transfer_in.flow.yaml:${placeOf(BASES.transfer_in, "account:")}: together: credit sends no "account" along, which transfer_in takes from transfer_credit; ${stuck("transfer", line(lacking, "credit:"))}: ${asIs("transfer_in")}`,
    ]);
    const bare = older("transfer", [", currency: M }", " }"]);
    expect(faultsFor(bare)).toEqual([
      expect.stringContaining('credit sends no "currency" along, by which transfer_in knows M (event.amount)'),
    ]);
    const other = older("transfer", ["account: intent.to, amount: data.net", "account: intent.to, amount: data.from"]);
    expect(faultsFor(other)).toEqual([
      expect.stringContaining('credit sends "amount" as a text, where money of M is taken'),
    ]);
  });

  test("more choices in a row than an event passes, which would end the process", () => {
    const row = Array.from({ length: 32 }, (_, at) => {
      return `    row_${at}: { kind: choice, always: [{ to: ${at === 31 ? "received" : `row_${at + 1}`} }] }\n`;
    });
    const through = (count: number): string =>
      older(
        "transfer_in",
        ["          to: received\n", `          to: row_${32 - count}\n`],
        ["    received:\n", `${row.slice(-count).join("")}    received:\n`],
      );
    expect(faultsFor(through(31))).toEqual([]);
    const long = through(32);
    expect(faultsFor(long)).toEqual([
      `transfer_in@0.9.0:${placeOf(long, "requested:")}: choice: requested is the first of 33 states in a row that do not wait; at most 32 are passed; ${stuck("transfer_in", line(long, "requested:"))}: stay with the release that they began under`,
    ]);
  });

  test("quotes without what the core reads of them", () => {
    expect(faultsFor(older("quote"))).toEqual([]);
    const unread = older("quote")
      .replaceAll("gives: { money: G", "given: { money: G")
      .replaceAll("data.gives", "data.given");
    expect(faultsFor(unread)).toEqual([
      expect.stringMatching(
        /^fx_quote@0\.9\.0:5:1: references: a quote keeps gives as money of G, which the core reads; cases still live by fx_quote@0\.9\.0 \(line 5\), /,
      ),
    ]);
  });

  test("an intent that moves its cases and opens others now", () => {
    const waiting = older("card", ["intent.payment_cancel:", "intent.quote_request:"]);
    const [fault] = faultsFor(waiting);
    expect(fault).toMatch(
      /^flows\/fx_quote\.flow\.yaml:\d+:\d+: together: intent\.quote_request opens a case of fx_quote, so no state can wait for it; .*: open fx_quote by another intent$/,
    );
  });

  test("accounts, postings and names that have gone", () => {
    const text = older("card", ["revenue:processing_fee", "revenue:handling_fee"]);
    expect(faultsFor(text)).toEqual([
      expect.stringMatching(
        /^card@0\.9\.0:\d+:\d+: references: revenue:handling_fee is not in the chart of accounts; cases still live by this version, which nothing can change: put back what it needs$/,
      ),
    ]);
  });

  test("outcomes that the catalogue does not have any more, or has otherwise", () => {
    const gone = older("card", ["emit: payment.received", "emit: payment.noticed"]);
    expect(faultsFor(gone)).toEqual([
      expect.stringMatching(
        /^card@0\.9\.0:\d+:\d+: outcomes: "payment.noticed" is not in the catalogue .*; cases still live by card@0\.9\.0 .*: let schemas\/outcomes\/catalogue\.yaml list it/,
      ),
    ]);
    const lacking = older("card", [
      "{ emit: payment.received, amounts: { requested: data.amount } }",
      "{ emit: payment.received }",
    ]);
    expect(faultsFor(lacking)).toEqual([expect.stringContaining('payment.received carries no amount "requested"')]);
  });

  test("money that it has set aside and a flow of today takes, or the other way round", () => {
    const holds = older("hold").replace("name: hold,", "name: hold, family: transfer,");
    const path = "liability:customer:{holder}:hold";
    const place = { file: "today", line: 3, column: 5 };
    const shares = (name: string, own: object): Declared => ({
      ...declared,
      shares: new Map([...declared.shares, [name, { relies: [], oversteps: [], ...own }]]),
    });
    expect(faultsFor(holds, shares("transfer", { oversteps: [{ path, place }] }))).toEqual([
      `today:3:5: together: takes more from ${path} than its case has put there, on which cases of hold@0.9.0 rely`,
    ]);
    expect(faultsFor(holds, shares("transfer", { relies: [{ path, place }] }))).toEqual([]);
    const refund = "liability:merchant:{holder}:reserved";
    expect(faultsFor(older("refund"), shares("card", { relies: [{ path: refund, place }] }))).toEqual([
      expect.stringMatching(
        /^today:3:5: together: card relies on what its case has put on .*:reserved, of which more is taken; cases still live by refund@0\.9\.0 \(line \d+\).*: set it aside on another account$/,
      ),
    ]);
  });

  test("overlays that lack a word of its table, or give a parameter of another type", () => {
    const table = older("card", [
      "fee_fixed:        { amounts: true, default: { USD: 30,",
      "fee_fixed:        { amounts: true, default: { NOK: 30, USD: 30,",
    ]);
    expect(faultsFor(table)).toEqual([
      expect.stringMatching(
        /^flows\/card\.flow\.yaml:\d+:\d+: an overlay of fee_fixed lacks NOK, which the default has in card@0\.9\.0, whose cases read the same overlays: say it there$/,
      ),
    ]);
  });
});
