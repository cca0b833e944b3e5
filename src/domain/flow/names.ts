// How names in a flow file are spelt.

export const NAME = /^[a-z][a-z0-9_]{0,39}$/;
export const WORDS_JOINED = "small letters, digits and underscores, beginning with a letter";

export const POSTING_NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
export const CURRENCY_SYMBOL = /^[A-Z][A-Z0-9]{0,3}$/;

export const EVENT = /^(intent|timer)\.[a-z][a-z0-9_]{0,39}$/;
/** an amount: a case variable, the intent's amount, or minor units */
export const VALUE = /^(data\.[a-z][a-z0-9_]{0,39}|intent\.amount\.minor|0|[1-9][0-9]{0,37})$/;
