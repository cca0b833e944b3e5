// Takes the guards of exactly-once out, one by one, and sees that the test which covers each fails without it: a guard
// whose test passes all the same is not proven, or not needed. Works on a copy of the sources; 5 to 10 minutes in all.
//
//     node scripts/guards.mjs            all of them
//     node scripts/guards.mjs epoch tail those whose name has one of these words
//     node scripts/guards.mjs --list
//     node scripts/guards.mjs --check    only whether each guard and its test are still where the list says: in a moment
//
// Each is one change of one place. The text to be replaced must be there exactly once, so that a guard that was rewritten
// is noticed here. Ends with 1 when a test passes without its guard, or fails with all of them in place.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const COPIED = ["src", "test", "schemas", "scripts", "package.json", "tsconfig.json", "vitest.config.ts"];
const COMMIT = "src/processor/commit.ts";
const WRITE = "src/store/sql/write-block.ts";
const COMMIT_TESTS = "test/faults/commit-guards.test.ts";
const RELAY_TESTS = "test/faults/relay-guards.test.ts";
const TOPIC_TESTS = "test/faults/topics.test.ts";

/** `stack: "own"`: the test breaks the stack that it runs on, so it gets one of its own. */
const GUARDS = [
  {
    name: "recorded answers, that hold for the same question alone",
    file: "src/workload/backtest/answers.ts",
    from: 'return recorded === asked ? "in the recording" : "asked otherwise";',
    to: 'return "in the recording";',
    test: "test/simulation/backtest.test.ts",
    title: "calls that ask for something else have no answer, and nothing that comes after them is called a difference",
  },
  {
    name: "money of cases of which nobody knows how they would have gone on",
    file: "src/workload/backtest/backtest.ts",
    from: "if (!this.#comparison.isUnknown(`${lane} ${caseId}`)) continue;",
    to: "continue;",
    test: "test/simulation/backtest.test.ts",
    title: "a call that was never made has none either",
  },
  {
    name: "messages between lanes that only a candidate sends",
    file: "src/workload/backtest/mail.ts",
    from: "if (this.#sent.recorded.has(key) && !this.#taken.has(key)) return;",
    to: "return;",
    test: "test/simulation/backtest.test.ts",
    title: "money that was refused then and is sent now goes to the other lane, and is answered",
  },
  {
    name: "order of the commands of one case, put beside those of others",
    file: "src/gateways/lane-gateway.ts",
    from: "const before = this.#ofCase.get(command.caseId);",
    to: "const before = [this.#ofCase.get(command.caseId)].at(1);",
    test: "test/unit/gateways.test.ts",
    title: "puts the commands of one case one after the other, whatever the others do meanwhile",
  },
  {
    name: "what a provider says and no case could take, told to none",
    file: "src/gateways/lane-gateway.ts",
    from: "if (isFitting) return answer;",
    to: 'if (answer.result !== "") return answer;',
    test: "test/unit/gateways.test.ts",
    title: "calls unknown what no case could take, and says so",
  },
  {
    name: "word that nothing was sent, kept before a case hears of it",
    file: "src/gateways/lane-gateway.ts",
    from: "if (!(await this.#keepUnavailable(batch))) return this.close();",
    to: "void this.#keepUnavailable(batch);",
    test: "test/unit/gateways.test.ts",
    title: "tells that nothing was sent only once it is kept for whoever reads the command again, and the rest at once",
  },
  {
    name: "commands of which a predecessor said that nothing was sent",
    file: "src/gateways/lane-gateway.ts",
    from: "if (this.#parts.unavailable.has(command.sequence)) return [unavailableAnswer(command)];",
    to: "",
    test: "test/unit/gateways.test.ts",
    title:
      "sends nothing for a command of which its predecessor said so, though the provider can be reached, and says it again",
  },
  {
    name: "lock of the lane, behind which an owner from before keeps no more that nothing was sent",
    file: "src/store/sql/unavailable.ts",
    from: "where lane = $1 and epoch = $2 for share",
    to: "where lane = $1 and epoch = $2",
    test: "test/integration/gateways.test.ts",
    title: "who keeps that nothing was sent while the lane changes hands waits, and then cannot",
  },
  {
    name: "deadline of a key, behind which nothing is sent again",
    file: "src/gateways/http/caller.ts",
    from: "const lastMs = Math.min(limits.untilMs, limits.notAfterMs);",
    to: "const lastMs = limits.untilMs;",
    test: "test/unit/provider-http.test.ts",
    title: "is not made again behind the moment until which its key is known",
  },
  {
    name: "errors of a provider's server, which say nothing of the call",
    file: "src/gateways/http/caller.ts",
    from: 'return exchanged.status >= 500 ? "server_error" : null;',
    to: "return null;",
    test: "test/unit/provider-http.test.ts",
    title: "is made again with the same bytes, and what was done is what is told",
  },
  {
    name: "answers about another amount or currency than was asked for",
    file: "src/gateways/providers/cardco/translate.ts",
    from: "if (operation === null || contradicts(command, operation)) return null;",
    to: "if (operation === null) return null;",
    test: "test/unit/provider-translate.test.ts",
    title: "says nothing",
  },
  {
    name: "signature of a webhook, over its raw bytes",
    file: "src/gateways/http/signature.ts",
    from: 'if (!isRight) return "wrong_signature";',
    to: "",
    test: "test/unit/webhooks.test.ts",
    title: "whose bytes were changed on their way",
  },
  {
    name: "age of a webhook, against one that was recorded",
    file: "src/gateways/http/signature.ts",
    from: 'return Math.abs(nowMs - Number(signed.seconds) * 1000) > WINDOW_MS ? "too_old" : null;',
    to: "return null;",
    test: "test/unit/webhooks.test.ts",
    title: "401, and a security event",
  },
  {
    name: "webhook that is reported before it is answered",
    file: "src/gateways/event-desk.ts",
    from: "for (const answer of news) await report(lane, told, { ...answer, isUnasked: true });",
    to: "for (const answer of news) void report(lane, told, { ...answer, isUnasked: true }).catch(() => undefined);",
    test: "test/unit/webhooks.test.ts",
    title: "a webhook that cannot be looked into or reported is answered 503, and taken when it comes again",
  },
  {
    name: "event of the list that cannot be looked into for an outage",
    file: "src/gateways/missed-events.ts",
    from: 'if (result === "failed") return false;',
    to: 'if (result === "failed") return true;',
    test: "test/unit/missed-events.test.ts",
    title: "nothing is passed over for an outage, of the provider's or of ours",
  },
  {
    name: "owner of a list from before, in the process of the new one",
    file: "src/gateways/missed-events.ts",
    from: 'if (signal.aborted) return false;\n    if (kept === "not_ours") {',
    to: 'if (kept === "not_ours") {',
    test: "test/unit/missed-events.test.ts",
    title: "an owner from before in the same process leaves the new one alone",
  },
  {
    name: "place of a list that a person has set back meanwhile",
    file: "src/store/sql/event-position.ts",
    from: "     where p.position = $4\n",
    to: "",
    test: "test/integration/gateways.test.ts",
    title:
      "nobody undoes how far a provider's list of events is read: no owner from before, and no page under way that a person's word overtook",
  },
  {
    name: "query that lags behind its webhook",
    file: "src/gateways/providers/http-gateway.ts",
    from: 'if (called.status >= REFUSED_FROM || isBehind(called.body)) return "not_shown";',
    to: "",
    test: "test/unit/webhooks.test.ts",
    title: "because a query shows it as it was before",
  },
  {
    name: "refusal of a question, which refuses no payment",
    file: "src/gateways/providers/http-gateway.ts",
    from: "return this.#read({ ...command, readOnly: true }, called);",
    to: "return this.#read(command, called);",
    test: "test/unit/provider-http.test.ts",
    title: "that comes too late is not declined because the question about it is answered",
  },
  {
    name: "case of another holder under the same id, whose operation this is not",
    file: "src/gateways/providers/cardco/translate.ts",
    from: 'if (!isHolders(json["reference"], command.holderId)) return null;',
    to: "",
    test: "test/unit/provider-translate.test.ts",
    title: "says nothing",
  },
  {
    name: "time of a message between lanes that no block can have, which the database is not asked about",
    file: "src/store/crossing.ts",
    from: "return recordedAtMicros >= 0n && recordedAtMicros <= LATEST_MICROS;",
    to: "return true;",
    test: "test/unit/begin-block.test.ts",
    title:
      "a message of a time that no block can have was not sent, and neither asks the database nor widens what is asked",
  },
  {
    name: "rows of choices and quotes of a kept version, held to what the core takes for granted",
    file: "src/domain/flow/check/kept.ts",
    from: "checkGranted(proof, flow);",
    to: "",
    test: "test/unit/flow-kept.test.ts",
    title: "more choices in a row than an event passes, which would end the process",
  },
  {
    name: "sandbox: flushing of what is done before it is answered",
    file: "src/sandbox/desk.ts",
    from: "return this.#journal.settled();",
    to: "return Promise.resolve();",
    test: "test/faults/sandbox.test.ts",
    title: "in the middle of load and repeats has done all that it answered, and nothing twice",
  },
  {
    name: "sandbox: a torn last line of the journal, cut off",
    file: "src/sandbox/journal.ts",
    from: "if (end < bytes.length) truncateSync(path, end);",
    to: "",
    test: "test/unit/sandbox-journal.test.ts",
    title: "cuts off a last line that a kill has torn",
  },
  {
    name: "sandbox: another request under a known key, refused",
    file: "src/sandbox/cardco-api.ts",
    from: "if (known.print !== print) {",
    to: "if (known.print !== print && known.print === print) {",
    test: "test/integration/sandbox.test.ts",
    title: "answers the same key the same, says how it stands when asked, and takes no other request under it",
  },
  {
    name: "card numbers, looked for in what is put aside for another reason",
    file: "src/processor/intake.ts",
    from: 'return detail === null ? taken : { ...taken, reason: "card_number", detail };',
    to: "return taken;",
    test: "test/unit/intake.test.ts",
    title: "in bytes that nobody can read, or in the key, puts the record aside",
  },
  {
    name: "key, bytes and hash of a record with a card number, withheld",
    file: "src/processor/messages.ts",
    from: 'const isWithheld = reason === "card_number";',
    to: "const isWithheld = false;",
    test: "test/unit/block.test.ts",
    title: "is not kept when it holds a card number, or nothing",
  },
  {
    name: "list of the cases that wait for a person, which those leave that do not",
    file: "src/processor/block.ts",
    from: "(waits ? begun : over).push(id);",
    to: "if (waits) begun.push(id);",
    test: "test/simulation/whole-language.test.ts",
    title: "are decided the same by both",
  },
  {
    name: "settings of then, gone by in an audit",
    file: "src/workload/audit/second.ts",
    from: "...(await this.#parts.versions.settings(parametersVersion))",
    to: "",
    test: "test/simulation/second-ledger.test.ts",
    title: "settings that changed meanwhile: each block is decided anew by those of its version",
  },
  {
    name: "number of a rate's tick, which only rises",
    file: "src/rates/judge.ts",
    from: 'if (tick.seq <= highestSeq) return { kind: "dropped" };',
    to: "",
    test: "test/unit/rate-judge.test.ts",
    title: "that does not come after the last number of its feed is dropped, whatever it says",
  },
  {
    name: "jump of a rate, measured",
    file: "src/rates/judge.ts",
    from: 'return judgeJump(judging, feed, tick, tick.mid) ?? { kind: "believed", row };',
    to: 'return { kind: "believed", row };',
    test: "test/unit/rate-judge.test.ts",
    title: "that jumps further than its pair may is put aside: 50 basis points for majors, 200 for others",
  },
  {
    name: "age of a rate, asked before it prices anything",
    file: "src/domain/fx/rates.ts",
    from: 'found === null || found.quality === "stale" ? null : found.rate;',
    to: "found === null ? null : found.rate;",
    test: "test/unit/rates.test.ts",
    title: "never prices by a rate that is dead or withdrawn, nor by one that is stale, which it only shows",
  },
  {
    name: "payment that has begun a quote, which no other goes on with",
    file: "src/domain/fx/quotes.ts",
    from: 'if (by !== "" && by !== use.by) return "quote_mismatch";',
    to: "",
    test: "test/unit/quotes.test.ts",
    title: "by one payment alone",
  },
  {
    name: "lock under which versions of rates are numbered",
    file: "src/store/rates.ts",
    from: "    { statement: sql.lockRates, values: [] },\n",
    to: "",
    test: "test/integration/rates.test.ts",
    title: "a version that is being written lets no other be numbered before it is there to be read",
  },
  {
    name: "epoch, compared under the lock of the lane's row",
    file: COMMIT,
    from: 'if (epoch !== head.epoch) return { kind: "fenced" };',
    to: "",
    test: COMMIT_TESTS,
    title: "the block of an owner whose successor has written is fenced",
  },
  {
    name: "epoch, compared when the head moves",
    file: WRITE,
    from: ' and epoch = ${p("epoch", "bigint")}',
    to: "",
    test: COMMIT_TESTS,
    title: "a block cannot be written when the epoch was raised",
  },
  {
    name: "head, compared under the lock of the lane's row",
    file: COMMIT,
    from: "if (block === head.block && digest.equals(head.digest)) return null;",
    to: "return null;",
    test: COMMIT_TESTS,
    title: "a head that something else has moved under our epoch halts the lane",
  },
  {
    name: "head's block, compared when it moves",
    file: WRITE,
    from: " and block = ${block} - 1",
    to: "",
    test: COMMIT_TESTS,
    title: "a block cannot be written when the head has moved on",
  },
  {
    name: "head's digest, compared when it moves",
    file: WRITE,
    from: ' and digest = ${p("previousDigest", "bytea")}',
    to: "",
    test: COMMIT_TESTS,
    title: "a block cannot be written when the head has another digest",
  },
  {
    name: "error when the head does not move",
    file: "schemas/database/0001_ledger.sql",
    from: "if moved <> 1 then",
    to: "if false then",
    test: COMMIT_TESTS,
    title: "a block cannot be written when",
  },
  {
    name: "error when other rows change than were read",
    file: "schemas/database/0001_ledger.sql",
    from: "if changed <> expected then",
    to: "if false then",
    test: COMMIT_TESTS,
    title: "a block that changes another number of rows than it read",
  },
  {
    name: "unknown COMMIT: the lane's row is asked, not taken for undone",
    file: COMMIT,
    from: "return resolveUnknown(committer, lane, memory, attempt.block as SentBlock);",
    to: 'return { kind: "again", reason: "" };',
    test: COMMIT_TESTS,
    title: "a COMMIT that happened and lost its answer is committed",
  },
  {
    name: "unknown COMMIT: the lane's row is asked, not taken for done",
    file: COMMIT,
    from: "if (number === after.block && digest.equals(after.digest)) return",
    to: "return",
    test: COMMIT_TESTS,
    title: "a COMMIT that was lost on its way is tried again",
  },
  {
    name: "unknown COMMIT: digest of our block",
    file: COMMIT,
    from: "number === after.block && digest.equals(after.digest)",
    to: "number === after.block",
    test: COMMIT_TESTS,
    title: "a block of the same number that is not ours halts the lane",
  },
  {
    name: "unknown COMMIT: digest of its predecessor",
    file: COMMIT,
    from: "number === before.block && digest.equals(before.digest)",
    to: "number === before.block",
    test: COMMIT_TESTS,
    title: "a predecessor of the same number that is not ours halts the lane",
  },
  {
    name: "unknown COMMIT: epoch",
    file: COMMIT,
    from: 'if (epoch !== before.epoch) return { kind: "fenced" };',
    to: "",
    test: COMMIT_TESTS,
    title: "a lost COMMIT is the next owner's when there is one",
  },
  {
    name: "unknown COMMIT: no dbTransaction left open by asking",
    file: COMMIT,
    from: ".finally(() => leave(connection))",
    to: "",
    test: COMMIT_TESTS,
    title: "a lost COMMIT that nobody answers for",
  },
  {
    name: "unknown COMMIT: an answer that never comes",
    file: "src/store/database.ts",
    from: "setTimeout(() => this.destroy(), this.#answerMs)",
    to: "setTimeout(() => undefined, this.#answerMs)",
    test: "test/faults/commit.test.ts",
    title: "a COMMIT that loses its question or its answer is found out",
  },
  {
    name: "unknown COMMIT: an answer with a warning",
    file: "src/store/blocks.ts",
    from: " || connection.warnings > warningsBefore",
    to: "",
    test: "test/faults/broker.test.ts",
    title: "a COMMIT that was answered with a warning is asked for again",
    stack: "own",
  },
  {
    name: "halt by the lane's owner alone",
    file: "src/store/sql/halt.ts",
    from: "from lane where lane = $1 and epoch = $4",
    to: "from lane where lane = $1 and $4::bigint is not null",
    test: COMMIT_TESTS,
    title: "only the lane's owner halts it",
  },
  {
    name: "no open halt, asked when the epoch is raised",
    file: "src/store/sql/lease.ts",
    from: `
     and not exists (select from halt where lane = $1 and resumed_at is null)
   returning *`,
    to: `
   returning *`,
    test: COMMIT_TESTS,
    title: "a lane that the auditor has halted since it was seen free is not taken",
  },
  {
    name: "fence of the writer: markers in every output partition",
    file: "src/kafka/writer.ts",
    from: `  await ask((broker) => broker.addPartitionsToTxn({ ...ours, topics: byTopic(targets) }));
  reach("writer.begun");
  await ask((broker) => broker.endTxn({ ...ours, transactionResult: false }));
`,
    to: "",
    test: RELAY_TESTS,
    title: "a former owner that wakes with messages publishes none of them",
  },
  {
    name: "fence of the writer: barrier before the tails are read",
    file: "src/kafka/writer.ts",
    from: "return init();",
    to: "return opened;",
    test: "test/integration/kafka-writer.test.ts",
    title: "fences the old owner in each of 60 takeovers",
  },
  {
    name: "lease asked before a writer is opened again",
    file: "src/relay/lane-relay.ts",
    from: "if (!(await store.isOurs(this.#lane, this.epoch))) {",
    to: "if (false) {",
    test: RELAY_TESTS,
    title: "a former owner that wakes with messages publishes none of them",
  },
  {
    name: "tail as cursor",
    file: "src/relay/cursor.ts",
    from: "published: reading.sequence }",
    to: "published: marked }",
    test: RELAY_TESTS,
    title: "an heir goes on behind the last message in the topic",
  },
  {
    name: "tail as cursor, with killed processes",
    file: "src/relay/cursor.ts",
    from: "published: reading.sequence }",
    to: "published: marked }",
    test: "test/faults/kill.test.ts",
    title: "20 kills of three instances under load",
  },
  {
    name: "tail ahead of the head",
    file: "src/relay/cursor.ts",
    from: "reading.sequence >= committedNext || digest === null",
    to: "false",
    test: "test/faults/restore.test.ts",
    title: "lanes whose published blocks the database has lost halt",
  },
  {
    name: "tails compared before the first block",
    file: "src/processor/processor.ts",
    from: "if (!(await opened)) return unopened(held); // it was read ahead meanwhile",
    to: "",
    test: "test/faults/restore.test.ts",
    title: "lanes whose published blocks the database has lost halt",
  },
  {
    name: "tail as cursor, with processes killed at every step of the relay",
    file: "src/relay/cursor.ts",
    from: "published: reading.sequence }",
    to: "published: marked }",
    test: "test/faults/failpoints.test.ts",
    title: "killed at block.handed_over to outlet.acknowledged, and started again",
  },
  {
    name: "batches under a producer id, which the broker drops when it has them",
    file: "src/kafka/appender.ts",
    from: "{ ...this.#identity, firstSequence }",
    to: "{ producerId: -1n, producerEpoch: -1, firstSequence: -1 }",
    test: "test/faults/produce.test.ts",
    title: "a produce request that loses itself or its answer is repeated",
  },
  {
    name: "offsets of the output topic, which only grow while it is the same",
    file: "src/relay/lane-relay.ts",
    from: "if (baseOffset <= queue.publishedOffset) {",
    to: "if (false) {",
    test: TOPIC_TESTS,
    title: "a topic of outcomes that is made anew under a running service",
  },
  {
    name: "partitions counted while running",
    file: "src/processor/processor.ts",
    from: "for (const lane of this.lanes) lane.halt(wrong.cause, wrong.evidence);",
    to: "",
    test: TOPIC_TESTS,
    title: "partitions added to the topic of intents halt every lane",
  },
  {
    name: "watermark: no timer before the inputs that were in time",
    file: "src/processor/lane.ts",
    from: "return Math.min(this.#intents.watermarkMs(timerMarginMs), this.#reports.watermarkMs(timerMarginMs));",
    to: "return Date.now() - timerMarginMs;",
    test: "test/faults/long-stop.test.ts",
    title: "after a long stop no timer overtakes an input that was in time",
  },
  {
    name: "late blocks kept from the relay of now",
    file: "src/relay/relay.ts",
    from: "this.#of(lane, block.rows.after.epoch)?.add(block.messages);",
    to: "this.#lanes.get(lane)?.add(block.messages);",
    test: RELAY_TESTS,
    title: "a block that is announced late",
  },
  {
    name: "a lane closed for neither of two before its writer is",
    file: "src/relay/relay.ts",
    from: "    await relay?.close();\n    if (this.#lanes.get(lane) === relay) this.#lanes.delete(lane);",
    to: "    if (relay !== undefined) this.#lanes.delete(lane);\n    await relay?.close();",
    test: RELAY_TESTS,
    title:
      "a lane that two close at once, while its writer is being opened, is closed for neither before the writer is",
  },
  {
    name: "a late end kept from the relay of now",
    file: "src/relay/relay.ts",
    from: "return relay?.epoch === epoch ? relay : undefined;",
    to: "return relay;",
    test: RELAY_TESTS,
    title: "a holding that ends late closes its own relay, not that of the holding after it",
  },
  {
    name: "last record taken, read again when a lane is taken",
    file: "src/processor/take.ts",
    from: "if (found.equals(position.lastHash)) return null;",
    to: "return null;",
    test: "test/faults/positions.test.ts",
    title: "an input topic that was made anew halts every lane",
  },
  {
    name: "message of another lane, looked for in its sender's outbox",
    file: "src/processor/crossing.ts",
    from: 'if (this.#unsent.has(offset)) throw new ImpossibleMessage("lane_message_not_sent", evidence);',
    to: "",
    test: "test/faults/restore.test.ts",
    title: "a message of a lost block is not taken",
  },
  {
    name: "message of another lane, compared byte for byte with what was sent",
    file: "src/store/sql/crossing.ts",
    from: "is distinct from u.run`",
    to: "is null`",
    test: "test/faults/crossing.test.ts",
    title: "another message under the number of one that was sent halts its receiver",
  },
  {
    name: "what came before a report that halts the lane, taken first",
    file: "src/processor/lane.ts",
    from: "if (this.#takeFewerReports(result.cause)) continue;",
    to: "",
    test: "test/unit/lane-refused.test.ts",
    title: "a report that halts the lane does so alone",
  },
  {
    name: "what came before unreadable bytes, taken first",
    file: "src/processor/lane.ts",
    from: "this.#arriving.some((run) => run.topic === topic) ? null : end;",
    to: "this.#arriving.some((run) => run.topic === topic) ? end : end;",
    test: "test/unit/lane-refused.test.ts",
    title: "what came before unreadable bytes is taken",
  },
  {
    name: "messages of the outbox, each after the one before",
    file: "src/relay/outgoing-queue.ts",
    from: "if (sequence !== expected) return expected;",
    to: "if (sequence !== expected && expected === from) return expected;",
    test: "test/unit/lane-relay.test.ts",
    title: "publishes nothing and halts its lane",
  },
  {
    name: "deduplication by case",
    file: "src/domain/decide/decide.ts",
    from: "found.holderId === intent.holderId) ? found : null;",
    to: "found.holderId === intent.holderId) ? null : null;",
    test: "test/faults/retry.test.ts",
    title: "the same retry a thousand times is one payment",
  },
  {
    name: "deduplication by case: the fingerprint",
    file: "src/domain/decide/decide.ts",
    from: "earlier !== null && earlier.fingerprint === print",
    to: "earlier !== null",
    test: "test/faults/retry.test.ts",
    title: "the same retry a thousand times is one payment",
  },
  {
    name: "lanes of an owner whose session is gone are free",
    file: "src/store/sql/lease.ts",
    from: " or ${IS_GONE})`;",
    to: ")`;",
    test: "test/faults/takeover.test.ts",
    title: "the lanes of a killed owner commit again soon",
  },
  {
    name: "an answer for each partition of a produce request",
    file: "src/kafka/gather.ts",
    from: "for (const one of group) settle(one, () => answerFor(one.part, answer));",
    to: "const all = answer.topics.flatMap((one) => one.partitions); for (const one of group) one.resolve(all.find((part) => part.errorCode !== 0) ?? answerFor(one.part, answer));",
    test: "test/integration/kafka-producer.test.ts",
    title: "a batch that is refused fails alone",
  },
  {
    name: "a produce request without an answer, sent again for all its partitions",
    file: "src/kafka/gather.ts",
    from: "for (const { reject } of group) reject(error);",
    to: 'for (const one of group) one.resolve({ partition: one.part.partition, errorCode: 0, baseOffset: "0" }); void error;',
    test: "test/integration/kafka-producer.test.ts",
    title: "replies and questions that are lost lose",
  },
];

/** A copy of the sources that can be changed; `dist` is built by the tests' set-up when a source is newer. */
function copySources() {
  const dir = mkdtempSync(join(tmpdir(), "millrace-guards-"));
  for (const name of COPIED) cpSync(join(root, name), join(dir, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(dir, "node_modules"));
  return dir;
}

function startStack(dir) {
  const place = join(dir, "stack");
  mkdirSync(place, { mode: 0o755 });
  const done = cli(["stack", "up", "--dir", place, "--json"]);
  const { kafkaBrokers, databaseUrl, schemaRegistryUrl } = JSON.parse(done.trim().split("\n").at(-1));
  const environment = {
    KAFKA_BROKERS: kafkaBrokers,
    DATABASE_URL: databaseUrl,
    SCHEMA_REGISTRY_URL: schemaRegistryUrl,
  };
  return { environment, stop: () => cli(["stack", "down", "--dir", place]) };
}

function cli(argv) {
  const done = spawnSync(process.execPath, [join(root, "dist", "main.js"), ...argv], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`millrace ${argv.join(" ")} ended with ${done.status}: ${done.stderr}`);
  return done.stdout;
}

/** Runs one test of the copy.
 *  @returns "passed", "failed", or what kept it from being run */
function runTest(dir, guard, environment) {
  const report = join(dir, "report.json");
  rmSync(report, { force: true });
  const named = guard.title.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const argv = ["run", guard.test, "-t", named, "--reporter", "json", "--outputFile", report];
  const vitest = join(dir, "node_modules", "vitest", "vitest.mjs");
  const env = { ...process.env, ...(guard.stack === "own" ? {} : environment) };
  const done = spawnSync(process.execPath, [vitest, ...argv], { cwd: dir, env, encoding: "utf8", timeout: 300_000 });
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, "utf8"));
    if (numFailedTests > 0) return "failed";
    return numPassedTests > 0 ? "passed" : "not run";
  } catch {
    return `not run (${(done.stderr ?? "").trim().split("\n").at(-1)})`;
  }
}

/** Runs the guard's test without the guard. */
function runWithout(dir, guard, environment) {
  const path = join(dir, guard.file);
  const text = readFileSync(path, "utf8");
  const pieces = text.split(guard.from);
  if (pieces.length !== 2) return `the text is there ${pieces.length - 1} times`;
  writeFileSync(path, pieces.join(guard.to));
  try {
    return runTest(dir, guard, environment);
  } finally {
    writeFileSync(path, text);
  }
}

/** What of the list is not there any more: it runs seldom as a whole, so `npm test` asks for this. */
function lost() {
  const read = (file) => (existsSync(join(root, file)) ? readFileSync(join(root, file), "utf8") : "");
  return GUARDS.flatMap(({ name, file, from, test }) => {
    const found = read(file).split(from).length - 1;
    const places = found === 1 ? [] : [`${name}: its text is ${found} times in ${file}`];
    return read(test) === "" ? [...places, `${name}: ${test} is not there`] : places;
  });
}

function main(words) {
  if (words.includes("--check")) {
    const missing = lost();
    process.stdout.write(
      missing.map((line) => `${line}\n`).join("") || `${GUARDS.length} guards and their tests are there\n`,
    );
    return missing.length === 0;
  }
  const chosen = GUARDS.filter(({ name }) => words.length === 0 || words.some((word) => name.includes(word)));
  if (words.includes("--list")) {
    for (const { name, test, title } of GUARDS) process.stdout.write(`${name}\n    ${test}: ${title}\n`);
    return true;
  }
  const dir = copySources();
  let stack = null;
  try {
    stack = startStack(dir);
    const whole = new Map();
    let isProven = true;
    for (const guard of chosen) {
      const key = `${guard.test} ${guard.title}`;
      if (!whole.has(key)) whole.set(key, runTest(dir, guard, stack.environment));
      const with_ = whole.get(key);
      const without = with_ === "passed" ? runWithout(dir, guard, stack.environment) : "not tried";
      const isCaught = without === "failed";
      isProven &&= isCaught;
      process.stdout.write(`${isCaught ? "caught" : "NOT CAUGHT"}  ${guard.name}\n`);
      process.stdout.write(`            ${guard.test}: ${guard.title}\n`);
      if (!isCaught) process.stdout.write(`            with the guard: ${with_}; without: ${without}\n`);
    }
    return isProven;
  } finally {
    stack?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.slice(2)) ? 0 : 1;
