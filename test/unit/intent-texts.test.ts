import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { INTENT_TEXTS } from "../../src/domain/intent.ts";

test("the texts that an intent may leave out are those of its schema: none escapes the search for card numbers", () => {
  const schema = new URL("../../schemas/messages/intent.avsc", import.meta.url);
  const { fields } = JSON.parse(readFileSync(schema, "utf8")) as {
    readonly fields: readonly { readonly name: string; readonly type: unknown }[];
  };
  const texts = fields.filter(({ type }) => Array.isArray(type) && type.includes("string")).map(({ name }) => name);
  expect(texts.filter((name) => name !== "floorMinor")).toEqual([...INTENT_TEXTS]);
});
