// A stranger's proof over the database: a few statements that know the tables and nothing of the code that writes them.
import type { World } from "./processes.ts";
import { waitFor } from "./wait.ts";

type Check = { readonly what: string; readonly sql: string };

/** Each finds what must not be; a row is a fault. */
const CHECKS: readonly Check[] = [
  {
    what: "a block is missing, comes twice, or does not begin where the one before it ends",
    sql: `select lane, block from (
            select lane, block, epoch, previous_digest, intents_from, outcomes_from, dead_letters_from,
              lag(block, 1, 0::bigint) over w as block_before, lag(epoch, 1, 0::bigint) over w as epoch_before,
              lag(digest, 1, decode(repeat('00', 32), 'hex')) over w as digest_before,
              lag(intents_next, 1, 0::bigint) over w as intents_before,
              lag(outcomes_next, 1, 0::bigint) over w as outcomes_before,
              lag(dead_letters_next, 1, 0::bigint) over w as dead_letters_before
            from block window w as (partition by lane order by block)) b
          where block <> block_before + 1 or epoch < epoch_before or previous_digest <> digest_before
             or intents_from <> intents_before or outcomes_from <> outcomes_before or dead_letters_from <> dead_letters_before`,
  },
  {
    what: "the head is not the last block",
    sql: `select l.lane, l.block from lane l left join block b on b.lane = l.lane and b.block = l.block
          where l.block > 0 and (b.block is null or b.digest <> l.digest or b.intents_next <> l.intents_next
             or b.outcomes_next <> l.outcomes_next)
             or exists (select from block b where b.lane = l.lane and b.block > l.block)`,
  },
  {
    what: "a lane's epoch has blocks of two processes",
    sql: "select lane, epoch from block group by lane, epoch having count(distinct process) > 1",
  },
  {
    what: "lines and their block do not belong together",
    sql: `select coalesce(b.lane, n.lane) as lane, coalesce(b.block, n.block) as block from block b full join (
            select lane, block, count(*) as lines, max(index) as last from line group by lane, block) n
            on n.lane = b.lane and n.block = b.block
          where b.lane is null or coalesce(n.lines, 0) <> b.lines or coalesce(n.last, -1) <> b.lines - 1`,
  },
  {
    what: "a balance is not the sum of its lines",
    sql: `select b.lane, b.account from balance b left join (
            select lane, account, sum(debit) as debits, sum(credit) as credits from (
              select lane, debit as account, amount as debit, 0 as credit from line
              union all select lane, credit, 0, amount from line) s group by lane, account) s
            on s.lane = b.lane and s.account = b.account
          where coalesce(s.debits, 0) <> b.debits or coalesce(s.credits, 0) <> b.credits`,
  },
  {
    what: "a holder's account is below its floor",
    sql: "select lane, account from balance where account > 0 and floor_minor is not null and credits - debits < floor_minor",
  },
  {
    what: "the outbox has not each sequence once",
    sql: `select l.lane, t.topic from lane l cross join lateral (
            values (0, l.outcomes_next), (1, l.commands_next), (2, l.dead_letters_next)) t(topic, next)
          where t.next <> (select count(distinct sequence) from outbox o where o.lane = l.lane and o.topic = t.topic)
             or t.next <> (select count(*) from outbox o where o.lane = l.lane and o.topic = t.topic)
             or t.next - 1 <> (select coalesce(max(sequence), -1) from outbox o where o.lane = l.lane and o.topic = t.topic)`,
  },
  {
    what: "the outbox has not each message to another lane once",
    sql: `select s.lane, s.to_lane from sent s left join lateral (
            select count(*) as messages, count(distinct sequence) as sequences, max(sequence) as last from outbox o
            where o.lane = s.lane and o.topic = 3 and o.to_lane = s.to_lane) o on true
          where s.to_lane <> s.lane and (o.messages <> s.next_sequence or o.sequences <> s.next_sequence
             or o.last <> s.next_sequence - 1)`,
  },
  {
    what: "a lane has taken what was never sent to it",
    sql: `select n.lane, n.from_lane from seen n left join sent s on s.lane = n.from_lane and s.to_lane = n.lane
          where n.sequence >= coalesce(s.next_sequence, 0)`,
  },
];

/** Once everything sent is taken: what is on its way then is lost, or was taken twice. */
const AT_REST: Check = {
  what: "money is on its way and no message is",
  sql: `select currency, sum(credits - debits)::text as minor from balance where path = 'clearing:transit'
        group by currency having sum(credits) <> sum(debits)`,
};

const ON_THEIR_WAY = `select s.lane, s.to_lane from sent s left join seen n on n.lane = s.to_lane and n.from_lane = s.lane
  where coalesce(n.sequence, -1) < s.next_sequence - 1`;

/** Waits until every message between lanes is taken, its answer too.
 *  @returns what is wrong with the money that was on its way, a sentence each */
export async function transitFaults(world: World): Promise<string[]> {
  let pairs: unknown[] = [];
  await waitFor(
    () => `messages between lanes to be taken: ${JSON.stringify(pairs)}`,
    async () => {
      pairs = await world.query(ON_THEIR_WAY);
      return pairs.length === 0;
    },
    60_000,
  );
  return faultsOf(world, [AT_REST]);
}

const ROWS_TOLD = 3;

/** What is wrong in the database, a sentence each. */
export async function ledgerFaults(world: World): Promise<string[]> {
  return faultsOf(world, CHECKS);
}

async function faultsOf(world: World, checks: readonly Check[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { what, sql } of checks) {
    const rows = await world.query(sql);
    if (rows.length > 0)
      faults.push(`${what}: ${rows.length} times, such as ${JSON.stringify(rows.slice(0, ROWS_TOLD))}`);
  }
  return faults;
}
