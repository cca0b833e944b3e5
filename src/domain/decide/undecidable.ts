/** A timer, report or message that its case cannot take: a money fact that must not be put aside, so the lane halts. */
export class Undecidable extends Error {
  override name = "Undecidable";
}
