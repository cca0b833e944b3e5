// Which request goes wrong how, and that docs/sandbox.md says the same.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  type Behaviour,
  DECLINES,
  FATES,
  LINES,
  numberedBehaviour,
  POSTS,
  parseBehaviour,
  printBehaviour,
  SMOOTH,
} from "../../src/sandbox/behaviour.ts";
import { type Asked, Chooser } from "../../src/sandbox/choose.ts";
import { readScript } from "../../src/sandbox/script.ts";
import { CARD_TOKENS } from "../../src/sandbox/test-cards.ts";
import { ROOT } from "../support/source.ts";

const ASKED: Asked = {
  provider: "cardco",
  kind: "authorization",
  key: "pay_1/auth/1",
  reference: "pay_1",
  token: "tok_visa",
  currency: "EUR",
  minor: "1000",
};

const page = readFileSync(join(ROOT, "docs", "sandbox.md"), "utf8");
const digits = (number: number): string => String(number).padStart(3, "0");

function choose(asked: Partial<Asked>, trouble = { perMille: 0, seed: "0" }, script = "[]"): Behaviour {
  return new Chooser(trouble, readScript(script).rules).choose({ ...ASKED, ...asked });
}

describe("the words", () => {
  const words = { ...FATES, ...LINES, ...POSTS };

  test("are shown with their numbers on the page, and no others", () => {
    const shown = [...page.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| (.+) \|$/gm)].map(([, word, number, means]) => [
      word,
      number,
      means,
    ]);
    const declines = DECLINES.map(({ code, number, networkCode, adviceCode }) => [
      code,
      digits(number),
      `${networkCode} | ${adviceCode ?? "none"}`,
    ]);
    expect(shown).toEqual(expect.arrayContaining(declines));
    expect(shown.filter(([word = ""]) => Object.hasOwn(words, word))).toEqual(
      Object.entries(words).map(([word, { number, means }]) => [word, digits(number), means]),
    );
    expect(shown).toHaveLength(Object.keys(words).length + DECLINES.length);
  });

  test("have a number each, which means that word alone", () => {
    for (const [word, { number }] of Object.entries(words)) {
      if (word === "declined") continue; // Its number has the code of the usual decline.
      expect(printBehaviour(numberedBehaviour(number) as Behaviour).split(" ")).toContain(word);
    }
    for (const { number, code } of DECLINES) {
      expect(numberedBehaviour(number)).toEqual({ ...SMOOTH, fate: "declined", code });
    }
    expect(numberedBehaviour(999)).toBeNull();
  });

  test("are read in any order, and what is none of them is told", () => {
    expect(parseBehaviour("twice declined:expired_card")).toEqual({
      fate: "declined",
      code: "expired_card",
      line: "plain",
      post: "twice",
    });
    expect(parseBehaviour("")).toEqual(SMOOTH);
    for (const wrong of [
      "declind",
      "declined declined",
      "slow plain",
      "twice:2",
      "declined:",
      "declined:A b",
      "__proto__",
    ]) {
      expect([wrong, typeof parseBehaviour(wrong)]).toEqual([wrong, "string"]);
    }
  });
});

describe("by amount", () => {
  test("the operation that the digit means goes wrong, and no other", () => {
    const kinds = {
      authorization: 0,
      order: 0,
      charges: 0,
      payouts: 0,
      increment: 1,
      capture: 2,
      void: 3,
      refund: 4,
      returns: 4,
    };
    for (const [kind, digit] of Object.entries(kinds)) {
      for (let meant = 0; meant < 10; meant++) {
        const isMeant = meant === digit || meant === 9;
        const expected = isMeant ? { ...SMOOTH, line: "silent_after" } : SMOOTH;
        expect([kind, meant, choose({ kind, minor: `99${meant}102` })]).toEqual([kind, meant, expected]);
      }
    }
  });

  test("other amounts and numbers of no word say nothing", () => {
    for (const minor of ["990999", "9901020", "99102", "0", "1990102"]) expect(choose({ minor })).toEqual(SMOOTH);
  });
});

describe("by token", () => {
  const published = readFileSync(join(ROOT, "test", "unit", "fixtures", "test_cards.csv"), "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => {
      const [provider = "", pan = "", expected = ""] = line.split(",");
      return { token: `tok_${provider.toLowerCase()}_${pan.slice(-4)}`, expected };
    });

  test("every published card has one, and none has another", () => {
    expect([...CARD_TOKENS].sort()).toEqual(published.map(({ token }) => token).sort());
  });

  test.each(published)("$token is $expected", ({ token, expected }) => {
    const authorization = choose({ token });
    const capture = choose({ token, kind: "capture" });
    if (expected.startsWith("declined")) expect([authorization.fate, capture]).toEqual(["declined", SMOOTH]);
    else if (expected.startsWith("rejected"))
      expect(authorization).toMatchObject({ fate: "refused", code: "incorrect_number" });
    else if (expected === "approved then disputed") expect(capture.fate).toBe("disputed");
    else if (expected.includes("later charge fails"))
      expect([authorization, capture.fate]).toEqual([SMOOTH, "declined"]);
    else expect([authorization, capture]).toEqual([SMOOTH, SMOOTH]);
    const code = /declined: (?:\d\d )?(\w+)/.exec(expected)?.[1]?.toLowerCase();
    const codes: Readonly<Record<string, string>> = {
      card_declined: "do_not_honor",
      do: "do_not_honor",
      stolen: "stolen_card",
      insufficient: "insufficient_funds",
    };
    if (code !== undefined) expect(authorization.code).toBe(codes[code] ?? code);
  });

  test("the page tells of each", () => {
    const rows = page.split("\n").filter((line) => line.includes("`tok_"));
    const named = rows.flatMap((line) => {
      let provider = "";
      return [...line.matchAll(/`(?:tok_([a-z]+)|…)_(\d{4})`/g)].map(([, own, last]) => {
        provider = own ?? provider;
        return `tok_${provider}_${last}`;
      });
    });
    expect(named.sort()).toEqual([...CARD_TOKENS].sort());
  });

  test("one that is no name of a card is a card, also when it is a word of the language", () => {
    for (const token of ["tok_visa", "constructor", "__proto__", "toString"]) expect(choose({ token })).toEqual(SMOOTH);
  });
});

describe("by seed", () => {
  const keys = Array.from({ length: 2_000 }, (_, at) => `pay_${at}/auth/1`);
  const draw = (seed: string, perMille: number, kind = "authorization") =>
    keys.map((key) => printBehaviour(choose({ key, kind }, { perMille, seed })));

  test("the same seed and key go wrong the same way, another seed in another", () => {
    expect(draw("1", 300)).toEqual(draw("1", 300));
    expect(draw("1", 300)).not.toEqual(draw("2", 300));
  });

  test("as many go wrong as are to, about, and of none when none is", () => {
    const share = (perMille: number): number =>
      draw("1", perMille).filter((one) => one !== printBehaviour(SMOOTH)).length / keys.length;
    expect(share(0)).toBe(0);
    expect(share(300)).toBeGreaterThan(0.26);
    expect(share(300)).toBeLessThan(0.34);
    expect(share(1000)).toBeGreaterThan(0.99);
  });

  test("every line and every post comes up, and the fates of the kind", () => {
    const drawn = new Set(draw("1", 1000).flatMap((one) => one.split(" ")));
    expect([...Object.keys(LINES), ...Object.keys(POSTS)].filter((word) => !drawn.has(word))).toEqual([]);
    expect(draw("1", 1000, "capture").join(" ")).not.toContain("action_done");
    expect(draw("1", 1000, "charges").join(" ")).toContain("paid_twice");
  });
});

describe("by script", () => {
  const trouble = { perMille: 0, seed: "0" };

  test("the first rule that fits is before amount, token and seed", () => {
    const script =
      '[{"when":{"kind":"capture"},"do":"late"},{"when":{"reference":"pay_*","currency":"EUR"},"do":"slow"}]';
    expect(choose({ minor: "990001" }, trouble, script)).toEqual({ ...SMOOTH, line: "slow" });
    expect(choose({ kind: "capture" }, trouble, script)).toEqual({ ...SMOOTH, post: "late" });
    expect(choose({ reference: "ord_1", minor: "990103" }, trouble, script)).toEqual({
      ...SMOOTH,
      line: "silent_before",
    });
  });

  test("a rule is used as often as it says", () => {
    const chooser = new Chooser(trouble, readScript('[{"do":"declined","times":2}]').rules);
    expect([1, 2, 3].map(() => chooser.choose(ASKED).fate)).toEqual(["declined", "declined", "done"]);
  });

  test("everything that is wrong with one is told at once", () => {
    const { faults } = readScript(
      '[{"do":"declined"},{"when":{"knd":"x","minor":5},"do":"slw","times":0,"note":""},7,{"when":[],"do":"slow"}]',
    );
    expect(faults).toEqual([
      'rule 2: "note" is not known; expected when, do, times',
      'rule 2: when: "knd" is none of provider, kind, key, reference, token, currency, minor',
      "rule 2: when: minor: expected a text",
      'rule 2: do: "slw": no such word, or a second one of its kind',
      "rule 2: times: expected a whole number from 1 to 1000000",
      "rule 3: expected an object",
      "rule 3: do: expected words such as declined twice",
      "rule 4: when: expected an object",
    ]);
    expect(readScript("{").faults).toHaveLength(1);
    const utf16 = Buffer.from("[]", "utf16le").toString();
    expect(readScript(utf16).faults).toEqual(["found a NUL, which no text has (is it UTF-16?): save it as UTF-8"]);
    expect(readScript("{}").faults).toEqual(["expected a list of rules"]);
  });

  test("the one on the page is one", () => {
    const shown =
      [...page.matchAll(/```json\n([^]*?)```/g)].map(([, text = ""]) => text).find((text) => text.includes('"do"')) ??
      "";
    expect([readScript(shown).faults, readScript(shown).rules.length]).toEqual([[], 2]);
  });
});
