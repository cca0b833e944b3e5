import { type Statement, statement } from "../statement.ts";

// Purpose: everything that a block writes, head last, as one statement of data-modifying CTEs: however large the block is,
// it is one question and one answer. (As eleven statements in one flight it was eleven answers, and reading them cost
// Node more than deciding: measured at 5,000 intents/s, blocks of 20.)
//
// Every part takes its lane from the lane row. The parts see one snapshot and touch different rows: an account is either
// opened or added to, a case either opened or moved, a timer that comes and goes within the block never gets here.
//
// It raises an error, and so undoes itself and makes the COMMIT behind it a ROLLBACK,
//   MR001 when the head was not ours to move: a compare-and-set that merely matched nothing would let COMMIT keep the rows;
//   MR002 when a part changed another number of rows than were sent: an account named twice would silently lose a change.
//
// Rows that are there are changed by "insert … on conflict do update", which finds each by its key whatever the planner
// thinks of the table. An update joined with the arrays was planned, on tables that nobody had analyzed yet, as every array
// element against every row of the lane: three times the time of the whole statement at 100,000 accounts. Should a row not
// be there after all, the insert would make one; `was_there` counts it out and MR002 undoes it.
//
// Arrays are opened in the list of what is selected, where their elements come out one by one. As a table, unnest(…, …) puts
// each array into a store of its own before the first row is there: a fifth of what inserting a message cost.
//
// Locks: the lane row (held already), the rows that are changed, which no other lane's block touches.
// Indexes: primary keys. Rows: the block's bounds.

/** Parts that most blocks do not need. Left out, they spare the server a good part of its time for a small block: an
 *  executor is set up for each part, whether it has rows or not. */
const OPTIONAL_PARTS = [
  "movedCases",
  "openedAccounts",
  "movedAccounts",
  "armed",
  "gone",
  "attention",
  "putAside",
  "crossing",
] as const;
export type OptionalPart = (typeof OPTIONAL_PARTS)[number];

export type WriteBlock = {
  readonly statement: Statement;
  /** names of the parameters in the order of their numbers */
  readonly parameters: readonly string[];
};

const made = new Map<string, WriteBlock>();

/** The statement with only those optional parts that a block needs; the same one each time. */
export function writeBlockWith(needed: readonly OptionalPart[]): WriteBlock {
  const name = OPTIONAL_PARTS.map((part) => (needed.includes(part) ? "1" : "0")).join("");
  let known = made.get(name);
  if (known === undefined) {
    known = make(`write_block_${name}`, needed);
    made.set(name, known);
  }
  return known;
}

function make(name: string, needed: readonly OptionalPart[]): WriteBlock {
  const parameters: string[] = [];
  // A parameter by name; its number is the order in which the text names it first.
  const p: Parameter = (parameter, type) => {
    const known = parameters.indexOf(parameter);
    const number = known === -1 ? parameters.push(parameter) : known + 1;
    return `$${number}::${type}`;
  };
  // A row for each element of the array that is named so; all those of one list go side by side.
  const each: Parameter = (array, type) => `unnest(${p(array, `${type}[]`)})`;
  const place: Place = { lane: p("lane", "int"), block: p("block", "bigint"), nowAt: p("nowAt", "timestamptz") };
  const optional = (part: OptionalPart, write: Write): readonly Write[] => (needed.includes(part) ? [write] : []);
  const writes = [
    openedCases,
    ...optional("movedCases", movedCases),
    ...optional("openedAccounts", openedAccounts),
    ...optional("movedAccounts", movedAccounts),
    lines,
    ...optional("armed", armed),
    ...optional("gone", gone),
    outgoing,
    ...optional("attention", attentionBegun),
    ...optional("attention", attentionOver),
    ...optional("putAside", putAside),
    ...optional("crossing", carried),
    ...optional("crossing", sentPairs),
    ...optional("crossing", seenPairs),
    needed.includes("crossing") ? theCrossedBlock : theBlock,
    moved,
  ];
  const counted = [
    needed.includes("movedCases") ? "(select count(*) from moved_cases where was_there)" : "0",
    needed.includes("movedAccounts") ? "(select count(*) from moved_accounts where was_there)" : "0",
    needed.includes("gone") ? "(select count(*) from gone)" : "0",
    ...(needed.includes("crossing") ? ["(select count(*) from sent_pairs)", "(select count(*) from seen_pairs)"] : []),
  ];
  const text = `with
${writes.map((write) => write(p, place, each)).join(",\n")}
select assert_block_written(${place.lane}, ${place.block}, (select count(*) from moved),
  array[${counted.join(", ")}]::bigint[], ${p("expected", "bigint[]")})`;
  return { statement: statement(name, text), parameters };
}

type Parameter = (name: string, type: string) => string;
type Place = { readonly lane: string; readonly block: string; readonly nowAt: string };
type Write = (p: Parameter, place: Place, each: Parameter) => string;

const openedCases: Write = (_p, { lane }, each) => `opened_cases as (
  insert into case_state (lane, case_id, kind, flow, holder_id, state, data, history, occurred_at)
  select lane, ${each("newCaseIds", "uuid")}, ${each("newKinds", "text")}, ${each("newFlows", "smallint")},
    ${each("newHolders", "text")}, ${each("newStates", "text")}, ${each("newData", "json")},
    ${each("newHistories", "text")}, ${each("newOccurredAt", "timestamptz")}
  from lane where lane = ${lane}
)`;

const movedCases: Write = (_p, { lane }, each) => `moved_cases as (
  insert into case_state as s (lane, case_id, kind, flow, holder_id, state, data, history, occurred_at)
  select lane, ${each("caseIds", "uuid")}, '', 0, '', ${each("states", "text")}, ${each("data", "json")},
    ${each("histories", "text")}, 'epoch'
  from lane where lane = ${lane}
  on conflict (lane, case_id) do update set state = excluded.state, data = excluded.data, history = excluded.history
  returning s.holder_id <> '' as was_there
)`;

const openedAccounts: Write = (_p, { lane, block }, each) => `opened_accounts as (
  insert into balance (lane, account, path, currency, floor_minor, status, debits, credits, opened_block)
  select lane, ${each("newAccounts", "bigint")}, ${each("newPaths", "text")}, ${each("newCurrencies", "text")},
    ${each("newFloors", "numeric")}, ${each("newStatuses", "text")}, ${each("newDebits", "numeric")},
    ${each("newCredits", "numeric")}, ${block}
  from lane where lane = ${lane}
)`;

const movedAccounts: Write = (_p, { lane }, each) => `moved_accounts as (
  insert into balance as b (lane, account, path, currency, floor_minor, status, debits, credits, opened_block)
  select lane, ${each("accounts", "bigint")}, '', '', ${each("floors", "numeric")}, ${each("statuses", "text")},
    ${each("debits", "numeric")}, ${each("credits", "numeric")}, 0
  from lane where lane = ${lane}
  on conflict (lane, account) do update set debits = b.debits + excluded.debits, credits = b.credits + excluded.credits,
    floor_minor = excluded.floor_minor, status = excluded.status
  returning b.opened_block <> 0 as was_there
)`;

const lines: Write = (p, { lane, block, nowAt }, each) => `lines as (
  insert into line (lane, block, index, recorded_at, debit, credit, amount, case_id, currency, posting)
  select lane, ${block}, generate_series(0, ${p("lineCount", "int")} - 1), ${nowAt}, ${each("lineDebits", "bigint")},
    ${each("lineCredits", "bigint")}, ${each("lineAmounts", "numeric")}, ${each("lineCases", "uuid")},
    ${each("lineCurrencies", "text")}, ${each("linePostings", "text")}
  from lane where lane = ${lane}
)`;

const armed: Write = (_p, { lane }, each) => `armed as (
  insert into timer (lane, due_at, case_id, name)
  select lane, ${each("armedAt", "timestamptz")}, ${each("armedCases", "uuid")}, ${each("armedNames", "text")}
  from lane where lane = ${lane}
)`;

// Whether a timer is one of these is looked up in a table of hashes: `is true` keeps the question from being joined, and joined
// each was compared with each (800 at once: 53 ms in place of 4).
const gone: Write = (p, { lane }, each) => `gone as (
  delete from timer
  where lane = ${lane} and due_at = any(${p("goneAt", "timestamptz[]")}) and case_id = any(${p("goneCases", "uuid[]")})
    and ((due_at, case_id, name)
      in (select ${each("goneAt", "timestamptz")}, ${each("goneCases", "uuid")}, ${each("goneNames", "text")})) is true
  returning 1
)`;

// Not counted in: it says once more what the cases say, for who looks for them, and the audit holds the two together.
const attentionBegun: Write = (_p, { lane, nowAt }, each) => `attention_begun as (
  insert into attention (lane, case_id, since)
  select lane, ${each("attentionBegun", "uuid")}, ${nowAt} from lane where lane = ${lane}
  on conflict (lane, case_id) do nothing
)`;

const attentionOver: Write = (p, { lane }) => `attention_over as (
  delete from attention where lane = ${lane} and case_id = any(${p("attentionOver", "uuid[]")})
)`;

const outgoing: Write = (p, { lane, block, nowAt }, each) => `outgoing as (
  insert into outbox (lane, topic, sequence, recorded_at, block, key, value)
  select lane, ${each("messageTopics", "smallint")}, ${each("messageSequences", "bigint")}, ${nowAt}, ${block},
    ${each("messageKeys", "text")},
    substring(${p("messages", "bytea")} from ${each("messageStarts", "int")} for ${each("messageSizes", "int")})
  from lane where lane = ${lane}
)`;

const putAside: Write = (_p, { lane, block, nowAt }, each) => `put_aside as (
  insert into quarantine (lane, topic, record_offset, block, recorded_at, reason, detail, key, sha256, size, value)
  select lane, ${each("asideTopics", "text")}, ${each("asideOffsets", "bigint")}, ${block}, ${nowAt},
    ${each("asideReasons", "text")}, ${each("asideDetails", "text")}, ${each("asideKeys", "text")},
    ${each("asideHashes", "bytea")}, ${each("asideSizes", "int")}, ${each("asideValues", "bytea")}
  from lane where lane = ${lane}
)`;

// What goes to other lanes is numbered per pair, so it bears the receiver's lane too.
const carried: Write = (p, { lane, block, nowAt }, each) => `carried as (
  insert into outbox (lane, topic, to_lane, sequence, recorded_at, block, key, value)
  select lane, 3, ${each("crossingTo", "smallint")}, ${each("crossingSequences", "bigint")}, ${nowAt}, ${block},
    ${each("crossingKeys", "text")},
    substring(${p("messages", "bytea")} from ${each("crossingStarts", "int")} for ${each("crossingSizes", "int")})
  from lane where lane = ${lane}
)`;

// Forward only: a pair that would not move is counted out, and MR002 undoes the block.
const sentPairs: Write = (_p, { lane }, each) => `sent_pairs as (
  insert into sent as s (lane, to_lane, next_sequence)
  select lane, ${each("sentTo", "int")}, ${each("sentNext", "bigint")} from lane where lane = ${lane}
  on conflict (lane, to_lane) do update set next_sequence = excluded.next_sequence
    where s.next_sequence < excluded.next_sequence
  returning 1
)`;

const seenPairs: Write = (_p, { lane }, each) => `seen_pairs as (
  insert into seen as s (lane, from_lane, sequence)
  select lane, ${each("seenFrom", "int")}, ${each("seenSequences", "bigint")} from lane where lane = ${lane}
  on conflict (lane, from_lane) do update set sequence = excluded.sequence where s.sequence < excluded.sequence
  returning 1
)`;

const theBlock: Write = (p, place) => blockRow(p, place, "", "");
const theCrossedBlock: Write = (p, place) =>
  blockRow(
    p,
    place,
    ", sent_to, sent_next, seen_from, seen_sequence",
    `, ${p("sentTo", "int[]")}, ${p("sentNext", "bigint[]")}, ${p("seenFrom", "int[]")}, ${p("seenSequences", "bigint[]")}`,
  );

/** @param columns of what crossed, and their `values`; each begins with a comma, or is empty */
const blockRow = (
  p: Parameter,
  { lane, block, nowAt }: Place,
  columns: string,
  values: string,
): string => `the_block as (
  insert into block (lane, block, recorded_at, epoch, process, previous_digest, digest, lines_hash, messages_hash,
    intents_from, intents_next, reports_from, reports_next, flows, timers, lines, outcomes_from, outcomes_next,
    commands_from, commands_next, dead_letters_from, dead_letters_next, halt, rates_version, parameters_version${columns})
  select z.lane, ${block}, ${nowAt}, ${p("epoch", "bigint")}, ${p("process", "bigint")}, ${p("previousDigest", "bytea")},
    ${p("digest", "bytea")}, ${p("linesHash", "bytea")}, ${p("messagesHash", "bytea")},
    ${p("intentsFrom", "bigint")}, ${p("intentsNext", "bigint")}, ${p("reportsFrom", "bigint")}, ${p("reportsNext", "bigint")},
    ${p("flows", "smallint[]")}, ${p("timers", "int")}, ${p("lineCount", "int")}, ${p("outcomesFrom", "bigint")}, ${p("outcomesNext", "bigint")},
    ${p("commandsFrom", "bigint")}, ${p("commandsNext", "bigint")}, ${p("deadLettersFrom", "bigint")},
    ${p("deadLettersNext", "bigint")}, ${p("halt", "bigint")}, ${p("ratesVersion", "bigint")}, ${p("parametersVersion", "bigint")}${values}
  from lane z where z.lane = ${lane}
)`;

const moved: Write = (p, { lane, block, nowAt }) => `moved as (
  update lane set block = ${block}, digest = ${p("digest", "bytea")}, now_at = ${nowAt},
    intents_next = ${p("intentsNext", "bigint")}, intents_last = ${p("intentsLast", "bigint")},
    intents_last_at = ${p("intentsLastAt", "timestamptz")}, intents_last_hash = ${p("intentsLastHash", "bytea")},
    reports_next = ${p("reportsNext", "bigint")}, reports_last = ${p("reportsLast", "bigint")},
    reports_last_at = ${p("reportsLastAt", "timestamptz")}, reports_last_hash = ${p("reportsLastHash", "bytea")},
    timer_due_at = ${p("timerDueAt", "timestamptz")}, timer_case_id = ${p("timerCase", "uuid")}, timer_name = ${p("timerName", "text")},
    outcomes_next = ${p("outcomesNext", "bigint")}, commands_next = ${p("commandsNext", "bigint")},
    dead_letters_next = ${p("deadLettersNext", "bigint")}, accounts = ${p("accountCount", "bigint")}
  where lane = ${lane} and epoch = ${p("epoch", "bigint")} and block = ${block} - 1 and digest = ${p("previousDigest", "bytea")}
  returning 1
)`;
