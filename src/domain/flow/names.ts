// How names in a flow file are spelt.

/** What a case keeps by name it keeps in plain objects, in which this one word is found that nobody put there: a variable of
 *  that name would read a function, and a call would be counted on from one. */
export const NAME = /^(?!constructor$)[a-z][a-z0-9_]{0,39}$/;
export const WORDS_JOINED = 'small letters, digits and underscores, beginning with a letter, and not "constructor"';

export const POSTING_NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
export const CURRENCY_SYMBOL = /^[A-Z][A-Z0-9]{0,3}$/;

/** `card.authorize` */
export const OPERATION = /^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,2}$/;

const EVENT = /^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){1,3}$/;
/** Names that the system itself gives, and of how many words. */
const OWN_EVENTS: Readonly<Record<string, number>> = { intent: 2, ops: 2, timer: 2, child: 3 };
const OPENING_EVENTS: readonly string[] = ["message", "spawn"];

export const EVENT_FORM =
  "intent.<type>, ops.<decision>, timer.<name>, child.<flow>.<word>, or the event of a result, such as psp.auth.approved";

/** Whether a state may list an event of this name. */
export function isEventName(text: string): boolean {
  const words = text.split(".");
  const first = words[0] ?? "";
  const wanted = Object.hasOwn(OWN_EVENTS, first) ? OWN_EVENTS[first] : words.length;
  return EVENT.test(text) && words.length === wanted && !OPENING_EVENTS.includes(first);
}

/** Whether it is what opens a case with values of its own: `message.<type>`, or `spawn`. */
export function isOpeningEvent(text: string): boolean {
  return text === "spawn" || /^message\.[a-z][a-z0-9_]{0,39}$/.test(text);
}
