// The provider `cardco`: a card processor that is told each operation under our key, asked by the same, and sends webhooks.

import { readJson } from "../../http/json.ts";
import { HttpGateway } from "../http-gateway.ts";
import type { HttpProvider, HttpProviderParts } from "../http-provider.ts";
import { CardcoClient } from "./client.ts";
import { answersOf, eventOf, eventsOf, keyOfOperation, requestOf } from "./translate.ts";

/** Secrets: `key`, with which we log in, and `webhook`, with which cardco signs. */
export function openCardco(parts: HttpProviderParts): HttpProvider {
  const { descriptor, secret } = parts;
  return new HttpGateway(parts, (caller) => {
    const client = new CardcoClient(caller, secret("key"));
    return {
      tell: (command, limits) => {
        const request = requestOf(command, descriptor);
        return request !== null && "path" in request ? client.post(request, limits) : request;
      },
      ask: (command, limits) => {
        const key = keyOfOperation(command);
        return key === null ? null : client.operation(key, limits);
      },
      read: (command, answered) => answersOf(command, answered, descriptor),
      hear: (body) => eventOf(readJson(body)),
      list: {
        ask: (after, untilMs, limits) => client.undelivered(after, untilMs, limits),
        read: eventsOf,
      },
    };
  });
}
