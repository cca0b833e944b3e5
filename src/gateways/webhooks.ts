// What providers tell unasked, over HTTP: each webhook is verified and looked into before it is answered 2xx.
//
//   webhook ──► signature ──► name of the operation ──► event-desk.ts ──► 200
//               401             200, not ours            503 where it has to come again
//
// What is answered 503 the provider sends again. What no webhook tells is read from the provider's list: missed-events.ts.

import type { HttpReply, HttpRequest, HttpRoute } from "../http/server.ts";
import { EVENT_RESULTS, type EventDesk } from "./event-desk.ts";

/** What became of a webhook, for metrics. */
export const WEBHOOK_RESULTS = [...EVENT_RESULTS, "not_ours", "refused"] as const;
export type WebhookResult = (typeof WEBHOOK_RESULTS)[number];

export interface WebhookEvents {
  webhook(provider: string, result: WebhookResult): void;
  /** a signature is missing, wrong or too old: a security event */
  webhookRefused(provider: string, why: string): void;
}

const STATUS: Readonly<Record<WebhookResult, number>> = {
  taken: 200,
  repeated: 200,
  nothing_new: 200,
  not_ours: 200,
  no_case: 200,
  not_expected: 200,
  refused: 401,
  not_shown: 503,
  failed: 503,
};

/** @param desks one for each provider */
export function webhookRoutes(desks: readonly EventDesk[], events: WebhookEvents): readonly HttpRoute[] {
  const byName = new Map(desks.map((desk) => [desk.provider.name, desk]));
  const handle = async (request: HttpRequest): Promise<HttpReply> => {
    const desk = byName.get(request.params["provider"] ?? "");
    if (desk === undefined) return reply(404);
    const result = await take(desk, request, events);
    events.webhook(desk.provider.name, result);
    return reply(STATUS[result]);
  };
  return [{ method: "POST", path: "/webhooks/:provider", handle }];
}

async function take(
  desk: EventDesk,
  { headers, body }: HttpRequest,
  { webhookRefused }: WebhookEvents,
): Promise<WebhookResult> {
  const heard = desk.provider.hear(headers, body);
  if (heard.kind === "refused") {
    webhookRefused(desk.provider.name, heard.why);
    return "refused";
  }
  return heard.kind === "not_ours" ? "not_ours" : desk.take(heard);
}

/** It says nothing of why: whoever forges one learns nothing from it. */
function reply(status: number): HttpReply {
  return { status, headers: { "content-type": "application/json" }, body: "{}" };
}
