// Named moments on the way from a fetch to the relay's acknowledgement, where a test can end or stop this process: what a
// power cut or a long pause does at that very moment. Nothing is armed outside of tests, and then `reach` is an empty
// function. It is called once a block, a batch, a fetch or a lane, never once an intent.
//
// A leaf: whoever takes a step may name it here. Each name is used at one place; test/unit/failpoints.test.ts checks that,
// and that ARCHITECTURE.md lists the same. test/faults/failpoints*.test.ts kill a process at each.

/** What has and has not happened at each moment. */
export const FAILPOINTS = {
  "process.entered": "The process is registered and its session holds the lock that says it lives; it has no lane.",
  "lease.renewed": "A heartbeat renewed the leases; what it found free or lost is not acted on.",
  "lease.taken": "The leases of free lanes are ours; no epoch is raised, so the owner from before may still write.",
  "epoch.raised": "A lane's epoch is raised, which fences its database; its writer in Kafka is still the old owner's.",
  "positions.judged":
    "The input topics are those that the head speaks of; nothing is read ahead, and the writer may be opening.",
  "writer.begun":
    "The new writer's Kafka transaction is open over all output partitions; the old writer is fenced in none.",
  "writer.fenced": "The markers are written and the old writer can append nothing more; the tails are not read.",
  "tails.read": "The last message of each output partition is read; it is not compared with the database.",
  "backlog.loaded": "The tails agree with the database and what is not published is in memory; nothing is appended.",
  "lane.opened": "The lane is read ahead and its relay is open; it has begun no block.",
  "input.fetched": "A broker answered a fetch; no lane has the records.",
  "input.queued": "Records wait in a lane's queue, in no block.",
  "timers.read": "Timers that are due are read; no block has them.",
  "block.taken_in": "The batch is decoded and has a connection; its dbTransaction has not begun.",
  "block.read": "The lane's row is locked, and what the batch concerns is read; nothing is decided.",
  "block.decided": "The block is complete in memory; nothing of it is written.",
  "block.sent": "Write and COMMIT are on their way to the database; no answer has come.",
  "block.answered": "The database answered COMMIT; neither the lane nor its relay knows of the block.",
  "block.handed_over": "The relay has the block's messages; its inputs are still in the lane's queue.",
  "unknown.asked": "A COMMIT lost its answer and the lane's row was read; what it says is not acted on.",
  "relay.batched": "Messages are encoded as a batch with its sequence; nothing of it is sent.",
  "relay.sent": "The batch is on its way to the broker; no answer has come.",
  "relay.answered": "The broker has the batch; the relay does not know.",
  "relay.acknowledged": "The relay has forgotten what was published; no mark of it is in the database.",
  "outlets.read":
    "What the other lanes have taken of this lane's messages is read; nothing of what they have not is sent again.",
  "outlet.due": "Messages to another lane are taken from their queue; nothing of them is sent.",
  "outlet.acknowledged": "The receiver's partition has the messages; the sender has not forgotten them.",
  "mark.due": "A mark of what was published is to be written.",
  "mark.written": "The mark is in the database.",
  "position.committed":
    "The block that moves a position is committed; the halt that allowed it is not marked as applied.",
  "position.applied": "The halt is marked as applied; the lane does not read from the new position yet.",
  "halt.decided": "A lane has ended for a cause that people must see; the halt is not recorded.",
  "halt.recorded": "The halt is recorded; the lease is still ours.",
  "return.idle": "A lane that is given back has no block in hand; it may have messages to publish.",
  "return.drained": "Its messages are published; its writer is open and its lease ours.",
  "return.closed": "Its writer is closed; the lease is ours.",
  "return.released": "The lease is given back; the process still says that it is there.",
  "process.left": "The process is struck off; its session is open.",
} as const;

export type FailpointName = keyof typeof FAILPOINTS;
export const FAILPOINT_NAMES = Object.keys(FAILPOINTS) as readonly FailpointName[];

const ACTIONS = { kill: "SIGKILL", stop: "SIGSTOP" } as const;
type Action = keyof typeof ACTIONS;

/** `block.sent=kill@3`: SIGKILL of the own process when it comes there for the third time; without a number the first. */
export const ARMED_FAILPOINT = new RegExp(
  `^(${FAILPOINT_NAMES.join("|").replaceAll(".", "\\.")})=(${Object.keys(ACTIONS).join("|")})(?:@([1-9]\\d{0,5}))?$`,
);

/** Says that the process has come to a step. */
export let reach: (name: FailpointName) => void = doNothing;

function doNothing(): void {}

export type Signal = (signal: "SIGKILL" | "SIGSTOP") => void;
/** Called before the signal is sent, so that a test can tell this end from any other. */
export type SayReached = (name: FailpointName, signal: string) => void;

/** Arms failpoints, or disarms all when the list is empty.
 *  @param armed each as `ARMED_FAILPOINT` has it */
export function armFailpoints(armed: readonly string[], say: SayReached, signal: Signal = signalSelf): void {
  const plans = new Map(armed.map(readArmed));
  const count = (name: FailpointName): void => {
    const plan = plans.get(name);
    if (plan === undefined || --plan.passesLeft !== 0) return;
    say(name, ACTIONS[plan.action]);
    signal(ACTIONS[plan.action]);
  };
  reach = plans.size === 0 ? doNothing : count;
}

type Plan = { readonly action: Action; passesLeft: number };

function readArmed(text: string): [FailpointName, Plan] {
  const match = ARMED_FAILPOINT.exec(text);
  if (match === null) throw new Error(`"${text}" is no failpoint`);
  return [match[1] as FailpointName, { action: match[2] as Action, passesLeft: Number(match[3] ?? 1) }];
}

/** SIGKILL ends every thread before the call returns. SIGSTOP reaches another thread than the service's a little later, in
 *  which a COMMIT could still be sent: this one waits for it. */
function signalSelf(signal: "SIGKILL" | "SIGSTOP"): void {
  process.kill(process.pid, signal);
  if (signal === "SIGSTOP") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STOP_ARRIVES_WITHIN_MS);
}

const STOP_ARRIVES_WITHIN_MS = 50;
