// Files of parameters: which values are laid over a flow's defaults, for whom. Every value is checked against the type
// that the flow declares, and named with file, line and column where it does not fit.

import type { Flow, FlowParam } from "../flow/flow.ts";
import { NAME, WORDS_JOINED } from "../flow/names.ts";
import { readParamValue } from "../flow/parse/data.ts";
import { isHolderId } from "../holder.ts";
import type { Fault, Located, LocatedEntry, Place } from "../located.ts";
import { Reading } from "../reading.ts";
import {
  type FlowOverlays,
  type Overlays,
  type ParamValue,
  type ParamValues,
  WHOSE,
  type Whose,
} from "./parameters.ts";

type Laid = Record<Whose, Map<string, ParamValues>>;

/** @param roots one a file
 *  @param flows of the versions that new cases open on */
export function parseParameters(
  roots: readonly Located[],
  flows: readonly Flow[],
): { overlays: Overlays; faults: readonly Fault[] } {
  const reading = new Reading();
  const overlays = new Map<string, Laid>();
  const places = new Map<string, Place>();
  for (const root of roots) readFile(reading, root, flows, overlays, places);
  return { overlays: overlays as ReadonlyMap<string, FlowOverlays>, faults: reading.faults };
}

function readFile(
  reading: Reading,
  root: Located,
  flows: readonly Flow[],
  overlays: Map<string, Laid>,
  places: Map<string, Place>,
): void {
  const file = reading.fields(root, "a file of parameters", { required: ["apiVersion", "kind", "metadata", "spec"] });
  reading.word(file?.get("apiVersion"), "apiVersion", ["parameters/v1"]);
  reading.word(file?.get("kind"), "kind", ["Parameters"]);
  const metadata = file?.get("metadata");
  const about = metadata && reading.fields(metadata, "metadata", { required: ["name", "owner"] });
  reading.textLike(about?.get("name"), "name", NAME, WORDS_JOINED);
  reading.text(about?.get("owner"), "owner");
  const spec = file?.get("spec");
  const row = spec && reading.fields(spec, "spec", { required: ["flow", "overlays"] });
  const name = reading.text(row?.get("flow"), "flow");
  const flow = flows.find((one) => one.name === name);
  if (name !== null && flow === undefined) {
    const known = flows.flatMap((one) => (one.params.length > 0 ? [one.name] : [])).join(", ") || "none";
    reading.fault(row?.get("flow")?.place as Place, `flow "${name}" is not declared; with parameters: ${known}`);
  }
  const items = reading.items(row?.get("overlays"), "overlays") ?? [];
  for (const item of items) readOverlay(reading, item, flow, overlays, places);
}

function readOverlay(
  reading: Reading,
  node: Located,
  flow: Flow | undefined,
  overlays: Map<string, Laid>,
  places: Map<string, Place>,
): void {
  const row = reading.fields(node, "an overlay", { required: ["values"], optional: WHOSE });
  const given = WHOSE.filter((whose) => row?.has(whose));
  const [whose] = given;
  if (row !== null && given.length !== 1)
    reading.fault(
      node.place,
      `an overlay is for one ${WHOSE.join(", or one ")}; found ${given.join(" and ") || "none"}`,
    );
  const values = row?.get("values");
  if (whose === undefined || values === undefined || flow === undefined) return;
  const subject = row?.get(whose) as Located;
  const who = readWho(reading, subject, whose);
  if (who === null) return;
  if (whose !== "holder" && !flow.data.some(({ name, type }) => name === whose && type.kind === "text"))
    reading.fault(
      subject.place,
      `a case of ${flow.name} has no text variable "${whose}", so no overlay for one reaches it`,
    );
  const key = JSON.stringify([flow.name, whose, who]);
  const earlier = places.get(key);
  if (earlier !== undefined) {
    reading.fault(
      node.place,
      `${whose} ${who} has values for ${flow.name} already, in ${earlier.file}:${earlier.line}`,
    );
    return;
  }
  places.set(key, node.place);
  const laid = overlays.get(flow.name) ?? { provider: new Map(), tenant: new Map(), holder: new Map() };
  laid[whose].set(who, readValues(reading, values, flow));
  overlays.set(flow.name, laid);
}

function readWho(reading: Reading, node: Located, whose: Whose): string | null {
  const who = reading.text(node, whose);
  if (who === null || whose !== "holder" || isHolderId(who)) return who;
  return reading.fault(node.place, `a holder's id is 1 to 64 of A-Z a-z 0-9 _ - . and not "house"; found "${who}"`);
}

function readValues(reading: Reading, node: Located, flow: Flow): ParamValues {
  const entries = reading.entries(node, "values") ?? [];
  const values: Record<string, ParamValue> = {};
  for (const entry of entries) {
    const value = readValue(reading, entry, flow);
    if (value !== null) values[entry.key] = value;
  }
  return values;
}

function readValue(reading: Reading, { key, keyPlace, value: node }: LocatedEntry, flow: Flow): ParamValue {
  const param = flow.params.find(({ name }) => name === key);
  if (param === undefined) {
    const known = flow.params.map(({ name }) => name).join(", ") || "none";
    return reading.fault(keyPlace, `${flow.name} has no parameter "${key}"; it has: ${known}`);
  }
  const value = readParamValue(reading, node, `parameter ${key}`, param.type);
  if (value !== null) checkTable(reading, node, param, value);
  return value;
}

/** A table takes the place of the default as a whole, so it has to say all that the default says. */
function checkTable(reading: Reading, node: Located, { name, default: own }: FlowParam, value: ParamValue): void {
  const lacking = lackingWords(own, value);
  if (lacking.length === 0) return;
  const why = "a table takes the place of the default as a whole";
  reading.fault(node.place, `parameter ${name} lacks ${lacking.join(", ")}, which the default has: ${why}`);
}

/** Words of a table's default that a value for it does not say. */
function lackingWords(own: FlowParam["default"], value: ParamValue): string[] {
  if (typeof own !== "object" || typeof value !== "object" || own === null || value === null) return [];
  return Object.keys(own).filter((word) => !Object.hasOwn(value, word));
}

/** Cases stay on the version of the flow that they began with, and read the same overlays: what an earlier version calls
 *  by the same name must be of the same type, and a table must have the words that it has there. */
export function checkEarlierVersions(
  overlays: Overlays,
  current: readonly Flow[],
  earlier: readonly Flow[],
): readonly Fault[] {
  const faults: Fault[] = [];
  for (const flow of earlier) {
    for (const param of flow.params) {
      const newer = current.find(({ name }) => name === flow.name)?.params.find(({ name }) => name === param.name);
      const laid = laidOver(overlays.get(flow.name), param.name);
      if (newer === undefined || laid.length === 0) continue;
      const whose = `${flow.name}@${flow.version}, whose cases read the same overlays`;
      const lacking = new Set(laid.flatMap((value) => lackingWords(param.default, value)));
      if (!isSameType(newer, param)) {
        const message = `parameter ${param.name} was of another type in ${whose}: give it another name`;
        faults.push({ place: newer.place, message });
      } else if (lacking.size > 0) {
        const words = [...lacking].join(", ");
        const message = `an overlay of ${param.name} lacks ${words}, which the default has in ${whose}: say it there`;
        faults.push({ place: newer.place, message });
      }
    }
  }
  return faults;
}

function isSameType(newer: FlowParam, earlier: FlowParam): boolean {
  return JSON.stringify(newer.type) === JSON.stringify(earlier.type);
}

function laidOver(overlays: FlowOverlays | undefined, name: string): readonly ParamValue[] {
  const all = WHOSE.flatMap((whose) => [...(overlays?.[whose].values() ?? [])]);
  return all.flatMap((values) => (Object.hasOwn(values, name) ? [values[name] as ParamValue] : []));
}
