// The provider `instanet`: an instant payment scheme and bank, where we name each transaction, ask how it stands, and hear by
// callbacks that it is another way.

import { readJson } from "../../http/json.ts";
import { HttpGateway } from "../http-gateway.ts";
import type { HttpProvider, HttpProviderParts } from "../http-provider.ts";
import { InstanetClient } from "./client.ts";
import { answersOf, eventOf, eventsOf, questionForMissed, questionOf, requestOf } from "./translate.ts";

/** Secrets: `client_id` and `client_secret`, with which we get tokens, and `webhook`, with which instanet signs. */
export function openInstanet(parts: HttpProviderParts): HttpProvider {
  const { descriptor, secret, nowMs } = parts;
  return new HttpGateway(parts, (caller, door) => {
    const [clientId, clientSecret] = [secret("client_id"), secret("client_secret")];
    const client = new InstanetClient({ door, caller, clientId, clientSecret, nowMs });
    return {
      tell: (command, limits) => {
        const request = requestOf(command, descriptor);
        return request !== null && "path" in request ? client.send(request, limits) : request;
      },
      ask: (command, limits) => {
        const question = questionOf(command);
        return question === null ? null : client.send(question, limits);
      },
      read: (command, answered) => answersOf(command, answered, descriptor),
      hear: (body) => eventOf(readJson(body)),
      list: {
        ask: (after, untilMs, limits) => client.send(questionForMissed(after, untilMs), limits),
        read: eventsOf,
      },
    };
  });
}
