// What providers promise, held against what flows rely on: a key that is executed for longer than its provider knows it has
// a second effect, and so has one that is sent again where a key is forgotten with an error; an answer that may come later
// than a call waits is unknown each time.

import { parseDurationMs } from "../flow/duration.ts";
import type { Expression } from "../flow/expression.ts";
import type { CallTarget, Flow, FlowCall, FlowParam } from "../flow/flow.ts";
import { type Fault, type Located, type Place, printFault } from "../located.ts";
import { methodsAsked } from "../routes/parse.ts";
import type { Routes } from "../routes/routes.ts";
import type { Overlays, ParamValue } from "./parameters.ts";

/** What the descriptor of a provider's kind says (`schemas/providers`). */
export type Promised = {
  /** as the chart of accounts names it */
  readonly provider: string;
  /** for how long a key is known */
  readonly keyTtlMs: number;
  /** within which it answers */
  readonly answerMs: number;
  /** what keeps a flow from sending a key again, if anything does */
  readonly sendsOnce: "forgets a key with an error" | "cannot be asked by a name of ours" | null;
  /** where the life of a key is said */
  readonly place: Place;
};

/** How often a flow sends a call again under its key when its provider twice says to have nothing of it. */
const RESUBMITS = "resubmits";

/** As much of a descriptor as is held against flows. What is wrong with it is not said here.
 *  @returns null when it cannot be read */
export function readPromised(provider: string, root: Located): Promised | null {
  const spec = partOf(root, "spec");
  const idempotency = partOf(spec, "idempotency");
  const ttl = partOf(idempotency, "ttl");
  const keyTtlMs = durationMs(ttl);
  const answerMs = durationMs(partOf(partOf(spec, "sla"), "answer"));
  if (ttl === undefined || keyTtlMs === null || answerMs === null) return null;
  const sendsOnce =
    valueOf(partOf(idempotency, "on_error")) !== "same"
      ? "forgets a key with an error"
      : valueOf(partOf(spec, "status_by_our_ref")) !== true
        ? "cannot be asked by a name of ours"
        : null;
  return { provider, keyTtlMs, answerMs, sendsOnce, place: ttl.place };
}

function valueOf(node: Located | undefined): unknown {
  return node?.kind === "scalar" ? node.value : undefined;
}

function partOf(node: Located | undefined, name: string): Located | undefined {
  return node?.kind === "map" ? node.entries.find(({ key }) => key === name)?.value : undefined;
}

function durationMs(node: Located | undefined): number | null {
  const value = valueOf(node);
  return typeof value === "string" ? parseDurationMs(value) : null;
}

type GatewayCall = FlowCall & { readonly to: Extract<CallTarget, { readonly kind: "gateway" }> };

/** Keys that may have a second effect, by the default of a parameter or by any overlay: executed for longer than a provider
 *  knows them, or sent again where that is no repeat. Of a call that does not name one provider for itself every provider may
 *  be asked, because an intent may name any. */
export function checkKeys(flows: readonly Flow[], overlays: Overlays, promised: readonly Promised[]): readonly Fault[] {
  return [...checkLifetimes(flows, overlays, promised), ...checkResubmits(flows, overlays, promised)];
}

function checkLifetimes(flows: readonly Flow[], overlays: Overlays, promised: readonly Promised[]): readonly Fault[] {
  const found = flows.flatMap((flow) =>
    lifetimesOf(flow).flatMap(({ call, lifetime }) =>
      promised
        .filter(({ provider }) => mayAsk(call, provider))
        .flatMap((one) => aboveOf(flow, lifetime, overlays, one)),
    ),
  );
  // Calls share a parameter, and with it what is wrong with it.
  return [...new Map(found.map((fault) => [printFault(fault), fault])).values()];
}

function checkResubmits(flows: readonly Flow[], overlays: Overlays, promised: readonly Promised[]): readonly Fault[] {
  return flows.flatMap((flow) => {
    const param = flow.params.find(({ name }) => name === RESUBMITS);
    if (param === undefined) return [];
    return promised
      .filter(({ provider }) => lifetimesOf(flow).some(({ call }) => mayAsk(call, provider)))
      .flatMap(({ provider, sendsOnce, place }) =>
        (sendsOnce === null ? [] : valuesOf(flow, param, overlays, provider))
          .filter(({ value }) => value > 0n)
          .map(({ value, whose }) => ({
            place: param.place,
            message: `resubmits is ${value}${whose}: what ${provider} twice says to have nothing of is sent again, and ${provider} ${sendsOnce} (${place.file}:${place.line}), so it may have a second effect. Say 0${remedy(flow, param, provider)}`,
          })),
      );
  });
}

/** Lifetimes of keys that are computed: nobody could say before a payment what they come to. */
export function checkComputedLifetimes(flows: readonly Flow[], promised: readonly Promised[]): readonly Fault[] {
  if (promised.length === 0) return [];
  return flows.flatMap((flow) =>
    lifetimesOf(flow)
      .filter(({ lifetime }) => lifetime.root.kind !== "literal" && paramOf(flow, lifetime) === undefined)
      .map(({ call, lifetime }) => ({
        place: lifetime.place,
        message: `key_lifetime of the call ${call.name} is computed, so it cannot be held against how long providers know a key: say a duration, or one parameter`,
      })),
  );
}

/** Calls that wait less long than a provider may take, for the providers that routes choose. */
export function checkPatience(flows: readonly Flow[], routes: Routes, promised: readonly Promised[]): readonly Fault[] {
  return flows.flatMap((flow) => {
    const routed = new Set(
      methodsAsked([flow]).flatMap((method) => (routes.get(method) ?? []).map(({ provider }) => provider)),
    );
    return promised
      .filter(({ provider }) => routed.has(provider))
      .flatMap(({ provider, answerMs, place }) =>
        gatewayCallsOf(flow)
          .filter(({ to }) => to.timeoutMs < answerMs)
          .map((call) => ({
            place: call.place,
            message: `the call ${call.name} waits ${seconds(call.to.timeoutMs)} for ${provider}, to which routes may send it, and that may take ${seconds(answerMs)} to answer (${place.file}): raise \`timeout\`, or close the route`,
          })),
      );
  });
}

function gatewayCallsOf({ calls }: Flow): readonly GatewayCall[] {
  return calls.filter((call): call is GatewayCall => call.to.kind === "gateway");
}

function lifetimesOf(flow: Flow): readonly { readonly call: GatewayCall; readonly lifetime: Expression }[] {
  return gatewayCallsOf(flow).flatMap((call) => {
    const lifetime = call.to.keyLifetime;
    return lifetime === null ? [] : [{ call, lifetime }];
  });
}

/** A call without a provider goes to nobody. */
function mayAsk({ payload }: FlowCall, provider: string): boolean {
  const asked = payload.find(({ name }) => name === "provider")?.value.root;
  if (asked === undefined) return false;
  return asked.kind !== "literal" || asked.value === provider;
}

function paramOf(flow: Flow, { root }: Expression): FlowParam | undefined {
  if (root.kind !== "name" || root.path[0] !== "params") return undefined;
  return flow.params.find(({ name }) => name === root.path[1]);
}

/** A value of a parameter, and in whose cases it is that */
type Owned = { readonly value: bigint; readonly whose: string };

function aboveOf(
  flow: Flow,
  lifetime: Expression,
  overlays: Overlays,
  { provider, keyTtlMs, place }: Promised,
): readonly Fault[] {
  const param = paramOf(flow, lifetime);
  const lasting = param === undefined ? literalOf(lifetime) : valuesOf(flow, param, overlays, provider);
  return lasting
    .filter(({ value }) => value >= BigInt(keyTtlMs))
    .map(({ value, whose }) => ({
      place: param?.place ?? lifetime.place,
      message: `a key is executed for ${seconds(value)}${whose}, and ${provider} knows one for ${seconds(keyTtlMs)} (${place.file}:${place.line}): behind that the same key has a second effect. Say less${remedy(flow, param, provider)}`,
    }));
}

function remedy(flow: Flow, param: FlowParam | undefined, provider: string): string {
  if (param === undefined || !flow.data.some(({ name }) => name === "provider")) return "";
  return `, here or in an overlay for provider ${provider} of ${flow.name} (schemas/parameters)`;
}

function literalOf({ root }: Expression): readonly Owned[] {
  return root.kind === "literal" && typeof root.value === "bigint" ? [{ value: root.value, whose: "" }] : [];
}

/** Every value that the parameter may have in a case at the provider: a tenant's and a holder's come before the provider's. */
function valuesOf(flow: Flow, param: FlowParam, overlays: Overlays, provider: string): readonly Owned[] {
  const laid = overlays.get(flow.name);
  const of = (values: Readonly<Record<string, ParamValue>> | undefined): ParamValue | undefined => values?.[param.name];
  const own = of(laid?.provider.get(provider));
  const found: [ParamValue | undefined, string][] = [
    own === undefined ? [param.default, " by default"] : [own, ` by the overlay for provider ${provider}`],
    ...[...(laid?.tenant ?? [])].map(([who, values]): [ParamValue | undefined, string] => [
      of(values),
      ` by the overlay for tenant ${who}`,
    ]),
    ...[...(laid?.holder ?? [])].map(([who, values]): [ParamValue | undefined, string] => [
      of(values),
      ` by the overlay for holder ${who}`,
    ]),
  ];
  return found.flatMap(([value, whose]) => (typeof value === "bigint" ? [{ value, whose }] : []));
}

function seconds(ms: bigint | number): string {
  return `${Number(ms) / 1000} s`;
}
