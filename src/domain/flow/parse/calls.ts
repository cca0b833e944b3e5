// Calls of a flow file: what is asked of a gateway, or of another holder's lane, and what each result becomes.

import type { Located, Place } from "../../located.ts";
import type { Fields } from "../../reading.ts";
import { parseDurationMs } from "../duration.ts";
import type { CallTarget, FlowCall, KeyPart } from "../flow.ts";
import { DURATION_FORM, type FlowReading, isUnread, unread } from "../flow-reading.ts";
import { isEventName, NAME, OPERATION, WORDS_JOINED } from "../names.ts";
import { mustMatch } from "./data.ts";

const GATEWAY_KEYS = { required: ["op", "timeout", "results"], optional: ["key", "key_lifetime", "read_only", "with"] };
const MESSAGE_KEYS = { required: ["message", "holder", "results"], optional: ["with"] };

const TIMEOUT_MAX_MS = 3_600_000;

export function readCall(reading: FlowReading, name: string, place: Place, node: Located): FlowCall {
  mustMatch(reading, place, name, NAME, WORDS_JOINED);
  const entries = reading.entries(node, `call ${name}`) ?? [];
  const isMessage = entries.some(({ key }) => key === "message");
  const row =
    node.kind === "map" ? reading.fields(node, `call ${name}`, isMessage ? MESSAGE_KEYS : GATEWAY_KEYS) : null;
  const payload = row?.get("with");
  return {
    place,
    name,
    to: isMessage ? readMessage(reading, place, row) : readGateway(reading, place, name, row),
    payload: reading.namedExpressions((payload && reading.entries(payload, "with")) ?? [], () => null),
    results: readResults(reading, name, row?.get("results")),
  };
}

function readMessage(reading: FlowReading, place: Place, row: Fields | null): CallTarget {
  const type = reading.textLike(row?.get("message"), "message", NAME, WORDS_JOINED) ?? "";
  const holder = row?.get("holder");
  return {
    kind: "message",
    type,
    holder: holder === undefined ? unread(place) : reading.expression(holder, "holder", { kind: "text" }),
  };
}

function readGateway(reading: FlowReading, place: Place, name: string, row: Fields | null): CallTarget {
  const readOnly = reading.flag(row?.get("read_only"), "read_only");
  const key = row?.get("key");
  if (row !== null && readOnly && key !== undefined)
    reading.fault(key.place, `call ${name} only asks: nothing is done twice by asking twice, so it takes no key`);
  if (row !== null && !readOnly && key === undefined)
    reading.fault(place, `call ${name} lacks "key", by which its repeats are known; or it says read_only: true`);
  const lifetime = row?.get("key_lifetime");
  if (lifetime !== undefined && readOnly)
    reading.fault(lifetime.place, `call ${name} only asks: it has no key, which a provider could forget`);
  return {
    kind: "gateway",
    op: reading.textLike(row?.get("op"), "op", OPERATION, "words joined by dots, such as card.authorize") ?? "",
    readOnly,
    key: key === undefined || readOnly ? null : readKey(reading, key),
    keyLifetime:
      lifetime === undefined || readOnly ? null : reading.expression(lifetime, "key_lifetime", { kind: "duration" }),
    timeoutMs: readTimeoutMs(reading, row?.get("timeout")),
  };
}

function readTimeoutMs(reading: FlowReading, node: Located | undefined): number {
  const text = reading.text(node, "timeout");
  const ms = text === null ? null : parseDurationMs(text);
  if (text !== null && ms === null && node !== undefined)
    reading.fault(node.place, `timeout must be ${DURATION_FORM}; found ${JSON.stringify(text)}`);
  if (ms !== null && ms > TIMEOUT_MAX_MS && node !== undefined)
    reading.fault(
      node.place,
      `timeout must be at most PT1H, because a lane waits for it; found ${JSON.stringify(text)}`,
    );
  return ms ?? 0;
}

/** `{case}/auth/{data.attempt}`: text, and expressions in braces. `{case}` and `{holder}` are short for their ids. */
function readKey(reading: FlowReading, node: Located): KeyPart[] {
  const text = reading.text(node, "key");
  if (text === null) return [];
  const parts: KeyPart[] = [];
  for (const piece of text.split(/(\{[^{}]*\})/)) {
    if (piece === "") continue;
    if (/[{}]/.test(piece) && !/^\{[^{}]+\}$/.test(piece))
      reading.fault(node.place, `key has a brace without its partner, or nothing in it: ${JSON.stringify(text)}`);
    else if (!piece.startsWith("{")) parts.push({ kind: "text", text: piece });
    else {
      const inner = piece.slice(1, -1);
      const short = inner === "case" ? "case.id" : inner === "holder" ? "case.holder" : inner;
      const value = reading.expression({ kind: "scalar", place: node.place, value: short }, "key", null);
      if (!isUnread(value)) parts.push({ kind: "value", value });
    }
  }
  return parts;
}

function readResults(reading: FlowReading, name: string, node: Located | undefined): FlowCall["results"] {
  const entries = (node && reading.entries(node, `results of ${name}`)) ?? [];
  if (node?.kind === "map" && entries.length === 0) reading.fault(node.place, `call ${name} has no result`);
  return entries.map(({ key, keyPlace, value }) => {
    mustMatch(reading, keyPlace, key, NAME, WORDS_JOINED);
    const event = reading.text(value, `result ${key}`) ?? "";
    if (event !== "" && (!isEventName(event) || /^(intent|ops|timer|child)\./.test(event)))
      reading.fault(
        value.place,
        `result ${key} becomes an event of its own, such as psp.auth.approved; found "${event}"`,
      );
    return { place: keyPlace, result: key, event };
  });
}
