// What can become of an operation at the provider `script`: what it tells on its own, and what it says when asked. The
// stories themselves are in a file for each kind of payment.

/** `says` is a result, with a detail behind a colon. */
export type Tell = { readonly says: string; readonly isLate?: true; readonly isUnasked?: true };

export type Story = {
  /** how often among the family's stories */
  readonly weight: number;
  readonly tells: readonly Tell[];
  /** to the first, second … status query; the last for ever after */
  readonly asked: readonly string[];
};

/** Operations that are about one and the same thing: those that do it and those that ask about it have one story. */
export type Family = {
  readonly name: string;
  readonly ops: readonly string[];
  /** when nothing goes wrong */
  readonly smooth: Story;
  readonly stories: readonly Story[];
};

export const tells = (weight: number, says: string, asked: readonly string[] = [says]): Story => ({
  weight,
  tells: [{ says }],
  asked,
});
export const late = (says: string): Tell => ({ says, isLate: true });
export const unasked = (says: string): Tell => ({ says, isLate: true, isUnasked: true });
