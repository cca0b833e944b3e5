// What providers promise against what flows rely on: how long a key is known, and within which time an answer comes.

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { parseExpression } from "../../src/declared/cel.ts";
import { checkPromises, DeclaredFaults, loadDeclared, loadKept, loadPromised } from "../../src/declared/load.ts";
import type { ExpressionNode } from "../../src/domain/flow/expression.ts";
import type { CallTarget, Flow } from "../../src/domain/flow/flow.ts";
import type { Fault } from "../../src/domain/located.ts";
import type { FlowOverlays, Overlays } from "../../src/domain/parameters/parameters.ts";
import type { Promised } from "../../src/domain/parameters/promises.ts";
import { SHIPPED_SCHEMAS } from "../support/faulty.ts";
import { DECLARED } from "../support/ledger.ts";

const HOUR_MS = 3_600_000;
const PROMISED = loadPromised(SHIPPED_SCHEMAS);
const ASKING =
  "bank_debit bank_recall bank_refund bank_return bank_transfer bnpl bnpl_refund card crypto crypto_return instant_push payout refund";

const SENDING_AGAIN = "bank_recall bank_refund bank_return bnpl bnpl_refund card crypto_return payout refund";

function faultsOf(load: () => unknown): readonly Fault[] {
  try {
    load();
  } catch (error) {
    if (error instanceof DeclaredFaults) return error.faults;
    throw error;
  }
  return [];
}

const flowOf = ({ place }: Fault): string => /(\w+)\.flow\.yaml$/.exec(place.file)?.[1] ?? place.file;

const cardcoKnowing = (hours: number): Promised[] =>
  PROMISED.filter(({ provider }) => provider === "cardco").map((one) => ({ ...one, keyTtlMs: hours * HOUR_MS }));

function flowNamed(name: string): Flow {
  const flow = DECLARED.flows.find((one) => one.name === name);
  if (flow === undefined) throw new Error(`no flow ${name}`);
  return flow;
}

/** The flow with each of its gateway's calls changed. */
function calling(flow: Flow, change: (to: Extract<CallTarget, { kind: "gateway" }>) => CallTarget): Flow {
  const calls = flow.calls.map((call) => (call.to.kind === "gateway" ? { ...call, to: change(call.to) } : call));
  return { ...flow, calls };
}

const lasting = (text: string, root: ExpressionNode) => (to: Extract<CallTarget, { kind: "gateway" }>) =>
  to.keyLifetime === null ? to : { ...to, keyLifetime: { ...to.keyLifetime, text, root } };

const laying = (overlays: Partial<FlowOverlays>): Overlays =>
  new Map([["card", { provider: new Map(), tenant: new Map(), holder: new Map(), ...overlays }]]);

function told(
  declared: { flows?: readonly Flow[]; overlays?: Overlays; routes?: typeof DECLARED.routes },
  promised: readonly Promised[],
): readonly Fault[] {
  return checkPromises({ flows: [flowNamed("card")], overlays: new Map(), routes: new Map(), ...declared }, promised);
}

describe("a key that a flow executes for longer than a provider knows it", () => {
  test("is refused when what is declared is read, for every flow that may ask, with both places and what to do", () => {
    const dir = mkdtempSync(join(tmpdir(), "millrace-promises-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    cpSync(SHIPPED_SCHEMAS, dir, { recursive: true });
    const descriptor = join(dir, "providers", "cardco.yaml");
    writeFileSync(descriptor, readFileSync(descriptor, "utf8").replace("ttl: P1D", "ttl: PT6H"));
    const faults = faultsOf(() => loadDeclared(dir));
    expect(faults.map(flowOf).join(" ")).toBe(ASKING);
    const { place, message } = faults.find((fault) => flowOf(fault) === "card") as Fault;
    expect(place.line).toBe(flowNamed("card").params.find(({ name }) => name === "key_lifetime")?.place.line);
    expect(message).toMatch(
      /^a key is executed for 82800 s by default, and cardco knows one for 21600 s \(.*providers\/cardco\.yaml:\d+\): behind that the same key has a second effect\. Say less, here or in an overlay for provider cardco of card \(schemas\/parameters\)$/,
    );
  });

  test("is refused when both are as long, because nothing is left for the way there; and is sound a second before", () => {
    expect(told({}, cardcoKnowing(23)).length).toBe(1);
    expect(
      told(
        {},
        cardcoKnowing(23).map((one) => ({ ...one, keyTtlMs: one.keyTtlMs + 1_000 })),
      ),
    ).toEqual([]);
  });

  test("is refused for an overlay that a case at that provider may have, and for no other", () => {
    const long = { key_lifetime: BigInt(48 * HOUR_MS) };
    const by = (overlays: Partial<FlowOverlays>): readonly string[] =>
      told({ overlays: laying(overlays) }, cardcoKnowing(24)).map(({ message }) => message);
    expect(by({ provider: new Map([["instanet", long]]) })).toEqual([]);
    const executed = "a key is executed for 172800 s by the overlay for ";
    expect(by({ provider: new Map([["cardco", long]]) })[0]).toMatch(`${executed}provider cardco`);
    expect(by({ tenant: new Map([["shops", long]]) })[0]).toMatch(`${executed}tenant shops`);
    expect(by({ holder: new Map([["mer_7", long]]) })[0]).toMatch(`${executed}holder mer_7`);
  });

  test("is sound where an overlay for the provider says less", () => {
    const less = { key_lifetime: BigInt(5 * HOUR_MS) };
    expect(told({}, cardcoKnowing(6)).length).toBe(1);
    expect(told({ overlays: laying({ provider: new Map([["cardco", less]]) }) }, cardcoKnowing(6))).toEqual([]);
  });

  test("is refused as a duration that a call says itself; one that is computed cannot be judged, and that is refused", () => {
    const itself = calling(flowNamed("card"), lasting("P1D", { kind: "literal", value: BigInt(24 * HOUR_MS) }));
    const said = told({ flows: [itself] }, cardcoKnowing(24));
    expect(said.length).toBe(itself.calls.filter(({ to }) => to.kind === "gateway" && to.keyLifetime !== null).length);
    expect(said[0]?.message).toMatch(/^a key is executed for 86400 s, and cardco/);
    const root = parseExpression("params.key_lifetime + params.key_lifetime") as ExpressionNode;
    const [fault] = told({ flows: [calling(flowNamed("card"), lasting("…", root))] }, cardcoKnowing(240));
    expect(fault?.message).toMatch(
      /^key_lifetime of the call authorize is computed, .*: say a duration, or one parameter$/,
    );
  });

  test("is no fault of a call that names another provider for itself, or none", () => {
    const naming = (value: ExpressionNode | null): Flow => {
      const card = flowNamed("card");
      const calls = card.calls.map((call) => ({
        ...call,
        payload: call.payload.flatMap((one) => {
          if (one.name !== "provider") return [one];
          return value === null ? [] : [{ ...one, value: { ...one.value, root: value } }];
        }),
      }));
      return { ...card, calls };
    };
    expect(told({ flows: [naming({ kind: "literal", value: "script" })] }, cardcoKnowing(6))).toEqual([]);
    expect(told({ flows: [naming(null)] }, cardcoKnowing(6))).toEqual([]);
    expect(told({ flows: [naming({ kind: "literal", value: "cardco" })] }, cardcoKnowing(6)).length).toBe(1);
  });

  test("is refused of a version that only its cases live by", () => {
    const file = join(SHIPPED_SCHEMAS, "flows", "payout.flow.yaml");
    const source = readFileSync(file, "utf8").replace("version: 1.0.0", "version: 0.9.0");
    const kept = (): unknown =>
      loadKept({ ...DECLARED, promised: cardcoKnowing(6) }, [{ name: "payout", version: "0.9.0", source }]);
    expect(kept).toThrow(/payout@0\.9\.0:\d+:\d+: a key is executed for 82800 s by default, and cardco knows/);
  });

  test("is held against an account at a provider that is called otherwise than its kind", () => {
    const [eu] = loadPromised(SHIPPED_SCHEMAS, [{ name: "cardco_eu", kind: "cardco" }]);
    expect(eu).toEqual({ ...cardcoKnowing(24)[0], provider: "cardco_eu" });
  });
});

describe("a call that is sent again under its key, at a provider where that is no repeat", () => {
  const sendingOnce = (sendsOnce: Promised["sendsOnce"]): Promised[] =>
    cardcoKnowing(24).map((one) => ({ ...one, sendsOnce }));

  test("is refused when what is declared is read, for every flow that would, with both places and what to do", () => {
    for (const [from, to, why] of [
      ["on_error: same", "on_error: forgets", "forgets a key with an error"],
      ["status_by_our_ref: true", "status_by_our_ref: false", "cannot be asked by a name of ours"],
    ] as const) {
      const dir = mkdtempSync(join(tmpdir(), "millrace-promises-"));
      onTestFinished(() => rmSync(dir, { recursive: true }));
      cpSync(SHIPPED_SCHEMAS, dir, { recursive: true });
      const descriptor = join(dir, "providers", "cardco.yaml");
      const source = readFileSync(descriptor, "utf8");
      expect(source).toContain(from);
      writeFileSync(descriptor, source.replace(from, to));
      const faults = faultsOf(() => loadDeclared(dir));
      expect(faults.map(flowOf).join(" ")).toBe(SENDING_AGAIN);
      const { place, message } = faults.find((fault) => flowOf(fault) === "card") as Fault;
      expect(place.line).toBe(flowNamed("card").params.find(({ name }) => name === "resubmits")?.place.line);
      expect(message).toMatch(
        new RegExp(
          `^resubmits is 3 by default: what cardco twice says to have nothing of is sent again, and cardco ${why} \\(.*providers/cardco\\.yaml:\\d+\\), so it may have a second effect\\. Say 0, here or in an overlay for provider cardco of card \\(schemas/parameters\\)$`,
        ),
      );
    }
  });

  test("is sound where an overlay says never, unless another overlay says otherwise", () => {
    const never = { provider: new Map([["cardco", { resubmits: 0n }]]) };
    const toldWith = (overlays: Partial<FlowOverlays>): readonly string[] =>
      told({ overlays: laying(overlays) }, sendingOnce("forgets a key with an error")).map(({ message }) => message);
    expect(toldWith({}).length).toBe(1);
    expect(toldWith(never)).toEqual([]);
    expect(toldWith({ ...never, holder: new Map([["mer_7", { resubmits: 1n }]]) })).toEqual([
      expect.stringContaining("resubmits is 1 by the overlay for holder mer_7"),
    ]);
  });
});

test("a provider that routes choose and that may take longer than a call waits is refused, one that they do not is not", () => {
  const answering = (answerMs: number) => cardcoKnowing(24).map((one) => ({ ...one, answerMs }));
  const slow = answering(15_000);
  const routed = (provider: string) =>
    new Map([["card", [{ provider, currencies: null, min: null, max: null, weight: 1n }]]]);
  expect(told({ routes: routed("script") }, slow)).toEqual([]);
  expect(told({ routes: routed("cardco") }, answering(10_000))).toEqual([]); // just as long
  const faults = told({ routes: routed("cardco") }, slow);
  expect(faults.length).toBe(flowNamed("card").calls.filter(({ to }) => to.kind === "gateway" && to.readOnly).length);
  for (const { message } of faults)
    expect(message).toMatch(
      /^the call \w+_status waits 10 s for cardco, to which routes may send it, and that may take 15 s to answer \(.*cardco\.yaml\): raise `timeout`, or close the route$/,
    );
});
