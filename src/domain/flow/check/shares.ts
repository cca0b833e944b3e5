// Who may rely on what stands on a holder's account that is open to flows alone (`open_to: flows`): each case on what it
// has put there itself. A flow that takes no more than its own share leaves every other case's share whole; that a case
// finds its share when a timer or a report needs it hangs on every flow keeping to that, which `checkTogether` sees to.

import type { Chart } from "../../accounts.ts";
import type { Place } from "../../located.ts";
import { valueAfter } from "../prove/analysis.ts";
import { balanceName } from "../prove/facts.ts";
import { atom, type Linear, times } from "../prove/linear.ts";
import type { Way } from "../prove/way.ts";
import { resolveTemplate } from "./postings.ts";
import { donePassages, faultOf, isRefusable, type Subject } from "./subject.ts";

/** What a way takes out of a holder's account, in its normal sign. */
export type Take = { readonly path: string; readonly symbol: string; readonly taken: Linear };

/** @param effects all of the way's, or those of postings that are not forced
 *  @returns takes that are not proven to be nothing or less */
export function takesOf({ chart }: Subject, way: Way, effects: ReadonlyMap<string, Linear>): Take[] {
  return [...effects].flatMap(([name, effect]) => {
    const at = name.lastIndexOf(" ");
    const [path, symbol] = [name.slice(0, at), name.slice(at + 1)];
    const account = resolveTemplate(chart, path);
    if (account?.kind !== "holder") return [];
    const taken = account.side === "credit" ? effect : times(effect, -1n);
    return way.situation.numbers.provesAtLeastZero(times(taken, -1n)) ? [] : [{ path, symbol, taken }];
  });
}

/** Money that a case puts on such an account is its own: nobody can ask for it. */
export function isSetAside(chart: Chart, path: string): boolean {
  const account = resolveTemplate(chart, path);
  return account?.kind === "holder" && account.openTo === "flows";
}

/** Whether the case has put there what it takes: its own balance does not fall below zero. */
export function isOwnShare({ chart, analysis }: Subject, way: Way, { path, symbol }: Take): boolean {
  if (!isSetAside(chart, path)) return false;
  const sign = resolveTemplate(chart, path)?.side === "credit" ? -1n : 1n;
  const own = times(atom(balanceName({ path, symbol })), sign);
  return way.situation.numbers.provesAtLeastZero(valueAfter(way, own, analysis.balances));
}

export type Share = { readonly path: string; readonly place: Place };

/** What a flow asks of the flows beside it. */
export type Shares = {
  /** accounts from which a fact takes what the case has put there */
  readonly relies: readonly Share[];
  /** accounts from which more may be taken than the case has put there */
  readonly oversteps: readonly Share[];
};

export const NO_SHARES: Shares = { relies: [], oversteps: [] };

export function sharesOf(subject: Subject): Shares {
  const relies = new Map<string, Share>();
  const oversteps = new Map<string, Share>();
  for (const passage of donePassages(subject)) {
    for (const take of takesOf(subject, passage.way, passage.way.effects)) {
      const { path } = take;
      if (!isSetAside(subject.chart, path)) continue;
      const { place } = faultOf(subject, passage, (actions) => actions.some(({ kind }) => kind === "post"));
      if (!isOwnShare(subject, passage.way, take)) oversteps.set(path, { path, place });
      else if (!isRefusable(passage.way)) relies.set(path, { path, place });
    }
  }
  return { relies: [...relies.values()], oversteps: [...oversteps.values()] };
}

/** Where others take more than their own of what a flow relies on. */
export function overstepped({ relies }: Shares, others: readonly { readonly shares: Shares }[]): Share[] {
  return relies.flatMap(({ path }) =>
    others.flatMap(({ shares }) => shares.oversteps.filter((one) => one.path === path).slice(0, 1)),
  );
}
