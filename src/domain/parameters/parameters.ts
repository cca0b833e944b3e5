// Parameters of flows as versioned data: values that take the place of a flow's defaults for a tenant, a provider or a
// holder. They change values, never types. A block records the version that it decided by.

import type { Value } from "../flow/expression.ts";
import { NO_ROUTES, type Routes } from "../routes/routes.ts";

/** A table has a whole number by word: a fixed fee by currency, a spread by pair. */
export type ParamValue = Value | Readonly<Record<string, bigint>>;
export type ParamValues = Readonly<Record<string, ParamValue>>;

export type Who = { readonly tenant: string | null; readonly provider: string | null; readonly holderId: string };

export interface ParameterBook {
  /** 0: nothing but the flows' defaults */
  readonly version: number;
  /** What is laid over a flow's defaults for a case; a holder's before a tenant's before a provider's. Null: nothing. */
  overlay(flow: string, who: Who): ParamValues | null;
  /** versioned with them: which provider takes a payment */
  readonly routes: Routes;
}

export const NO_PARAMETERS: ParameterBook = { version: 0, overlay: () => null, routes: NO_ROUTES };

/** Whom an overlay is for, from the weakest to the strongest. */
export const WHOSE = ["provider", "tenant", "holder"] as const;
export type Whose = (typeof WHOSE)[number];

/** What is laid over one flow: by whose, by their name. */
export type FlowOverlays = Readonly<Record<Whose, ReadonlyMap<string, ParamValues>>>;
export type Overlays = ReadonlyMap<string, FlowOverlays>;

/** A book that looks each case's overlay up by its tenant, provider and holder. Who has no values of their own share one
 *  answer, so that the answers kept are as many as the files' entries combine to, however many holders there are. */
export function makeParameterBook(version: number, overlays: Overlays, routes: Routes = NO_ROUTES): ParameterBook {
  const kept = new Map([...overlays].map(([flow, one]) => [flow, { overlays: one, merged: new Map() as Merged }]));
  return {
    version,
    routes,
    overlay(flow, who) {
      const known = kept.get(flow);
      return known === undefined ? null : lookUp(known.overlays, known.merged, who);
    },
  };
}

/** What was put together before, by the parts that it was made of: a provider's, then a tenant's, then a holder's. */
type Merged = Map<Part, Map<Part, Map<Part, ParamValues>>>;
type Part = ParamValues | undefined;

function lookUp(overlays: FlowOverlays, merged: Merged, who: Who): ParamValues | null {
  const provider = who.provider === null ? undefined : overlays.provider.get(who.provider);
  const tenant = who.tenant === null ? undefined : overlays.tenant.get(who.tenant);
  const holder = overlays.holder.get(who.holderId);
  if (provider === undefined && tenant === undefined) return holder ?? null;
  if (tenant === undefined && holder === undefined) return provider ?? null;
  if (provider === undefined && holder === undefined) return tenant ?? null;
  const ofTenants = entry(merged, provider, () => new Map());
  const ofHolders = entry(ofTenants, tenant, () => new Map());
  return entry(ofHolders, holder, () => ({ ...provider, ...tenant, ...holder }));
}

/** What stands under a key, made where nothing does. */
function entry<Of>(map: Map<Part, Of>, key: Part, make: () => Of): Of {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
