// Which of a flow's alternatives scenarios have taken. The compiled flow is watched from outside: each alternative gets a
// guard that notes its name when it holds, and the first that holds is the one that is taken.

import type { CompiledAlternative, CompiledFlow, CompiledState } from "../../domain/flow/compile/compile.ts";
import type { Flow } from "../../domain/flow/flow.ts";
import type { Place } from "../../domain/located.ts";

/** `card authorized intent.payment_cancel 1`: the flow, the state, the event (`always` behind a choice), the number. */
export type Way = { readonly name: string; readonly place: Place };

function wayName(flow: string, state: string, event: string, index: number): string {
  return `${flow} ${state} ${event} ${index + 1}`;
}

/** Every alternative of a flow, in the order of its file. */
export function waysOf(flow: Flow): Way[] {
  return flow.states.flatMap(({ name, always, events }) => [
    ...always.map(({ place }, index) => ({ name: wayName(flow.name, name, "always", index), place })),
    ...events.flatMap(({ event, alternatives }) =>
      alternatives.map(({ place }, index) => ({ name: wayName(flow.name, name, event, index), place })),
    ),
  ]);
}

/** The flow, telling `taken` the name of every alternative that is taken. */
export function watched(flow: CompiledFlow, taken: (way: string) => void): CompiledFlow {
  const states = flow.states.map((state): CompiledState => {
    const watch = (event: string, alternatives: readonly CompiledAlternative[]): readonly CompiledAlternative[] =>
      alternatives.map((one, index) => watchedOne(one, () => taken(wayName(flow.name, state.name, event, index))));
    return {
      ...state,
      on: new Map([...state.on].map(([event, alternatives]) => [event, watch(event, alternatives)] as const)),
      always: state.always === null ? null : watch("always", state.always),
    };
  });
  return { ...flow, states };
}

function watchedOne(alternative: CompiledAlternative, note: () => void): CompiledAlternative {
  const { when } = alternative;
  return {
    ...alternative,
    when: (scope) => {
      const holds = when === null || when(scope);
      if (holds) note();
      return holds;
    },
  };
}
