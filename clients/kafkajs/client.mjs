// kafkajs as one of Kafka's verifiable clients: see ../README.md.

import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { translate } from './settings.mjs';

// kafkajs puts no bound on what waits for an answer.
const MOST_UNACKNOWLEDGED = 1000;
// How long the last answers are waited for, in milliseconds: as long as kafkajs waits for one.
const LAST_ANSWERS = 30_000;
// kafkajs sends a message again within this time, in milliseconds, or has forgotten it.
const FORGOTTEN = 60_000;
// Time between two looks for forgotten messages, in milliseconds.
const LOOK = 1_000;

const COMMON = {
  topic: { type: 'string' },
  'bootstrap-server': { type: 'string' },
  'max-messages': { type: 'string', default: '-1' },
  'command-config': { type: 'string' },
};
const FLAGS = {
  producer: {
    ...COMMON,
    // The name of --command-config in Kafka's tools up to 4.1.
    'producer.config': { type: 'string' },
    throughput: { type: 'string', default: '-1' },
    acks: { type: 'string', default: '-1' },
    'value-prefix': { type: 'string' },
    'repeating-keys': { type: 'string' },
  },
  consumer: {
    ...COMMON,
    'consumer.config': { type: 'string' },
    'group-id': { type: 'string' },
    'session-timeout': { type: 'string' },
    'enable-autocommit': { type: 'boolean', default: false },
    'reset-policy': { type: 'string', default: 'earliest' },
    'assignment-strategy': { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
};

const stopping = new AbortController();
const stop = () => stopping.abort();
const stopped = () => stopping.signal.aborted;

function line(name, fields = {}) {
  process.stdout.write(`${JSON.stringify({ timestamp: Date.now(), name, ...fields })}\n`);
}

// shutdown_complete would claim an orderly end.
function fail(error) {
  line('client_error', { exception: error.name, message: error.message });
  console.error(`${error.name}: ${error.message}`);
  process.exit(1);
}

function parse() {
  const [role, ...args] = process.argv.slice(2);
  if (!(role in FLAGS)) throw new Error('usage: client.mjs producer|consumer --topic T --bootstrap-server HOST:PORT');
  // parseArgs takes a value such as -1 for a flag of its own unless it is joined to its flag.
  const joined = args.join('\0').replace(/(--[^\0=]+)\0(-\d)/g, '$1=$2').split('\0');
  const flags = parseArgs({ args: joined, options: FLAGS[role] }).values;
  for (const name of ['topic', 'bootstrap-server', ...(role === 'consumer' ? ['group-id'] : [])]) {
    if (flags[name] === undefined) throw new Error(`--${name} is missing`);
  }
  for (const name of ['max-messages', 'throughput', 'acks', 'repeating-keys', 'session-timeout']) {
    if (flags[name] === undefined) continue;
    flags[name] = Number(flags[name]);
    if (Number.isNaN(flags[name])) throw new Error(`--${name}: a number is meant`);
  }
  flags.config = flags['command-config'] ?? flags[`${role}.config`];
  return [role, flags];
}

// Number n of the messages is due n/throughput seconds after the first; null when the producer ends before.
async function due(number, started, flags) {
  if (flags.throughput <= 0) return stopped() ? null : Date.now();
  const at = started + Math.round((number * 1000) / flags.throughput);
  const wait = at - Date.now();
  if (wait > 0) await delay(wait, null, { signal: stopping.signal }).catch(() => {});
  return stopped() ? null : at;
}

async function produce(flags, kafka, config) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config });
  await producer.connect();
  line('startup_complete');
  const started = Date.now();
  // What was sent and has no answer yet, with its message and when it was sent; the oldest first.
  const unanswered = new Map();
  // kafkajs forgets some messages whose connection broke: it never answers them.
  const giveUp = (before) => {
    for (const [answer, waiting] of unanswered) {
      if (waiting.at > before) break;
      unanswered.delete(answer);
      waiting.forgotten = true;
      line('producer_send_error', { ...waiting.fields, exception: 'TimeoutException', message: 'kafkajs gave no answer' });
    }
  };
  let sent = 0;
  let acked = 0;
  for (; sent !== flags['max-messages']; sent++) {
    while (unanswered.size >= MOST_UNACKNOWLEDGED && !stopped()) {
      await Promise.race([...unanswered.keys(), once(stopping.signal, 'abort'), delay(LOOK)]);
      giveUp(Date.now() - FORGOTTEN);
    }
    const sent_ms = await due(sent, started, flags);
    if (sent_ms === null) break;
    const keys = flags['repeating-keys'];
    const key = keys === undefined ? null : String(sent % keys);
    const prefix = flags['value-prefix'];
    const value = prefix === undefined ? String(sent) : `${prefix}.${sent}`;
    const fields = { key, value, sent_ms, topic: flags.topic };
    const waiting = { fields, at: Date.now(), forgotten: false };
    const answer = producer.send({ topic: flags.topic, acks: flags.acks, messages: [{ key, value }] }).then(
      ([metadata]) => {
        if (waiting.forgotten) return;
        acked += 1;
        // No broker answers acks=0. What a broker older than 0.11 answers is in `offset`.
        const { partition = -1, offset = '-1', baseOffset = offset } = metadata ?? {};
        line('producer_send_success', { ...fields, partition, offset: Number(baseOffset) });
      },
      ({ name, message }) => {
        if (!waiting.forgotten) line('producer_send_error', { ...fields, exception: name, message });
      },
    );
    unanswered.set(answer, waiting);
    answer.finally(() => unanswered.delete(answer));
  }
  await Promise.race([Promise.all(unanswered.keys()), delay(LAST_ANSWERS)]);
  giveUp(Date.now());
  await producer.disconnect();
  const rate = (acked * 1000) / Math.max(Date.now() - started, 1);
  return { sent, acked, target_throughput: flags.throughput, avg_throughput: rate };
}

function consumerConfig(flags) {
  const assignor = flags['assignment-strategy']?.split('.').at(-1) ?? 'RoundRobinAssignor';
  if (assignor !== 'RoundRobinAssignor') throw new Error(`--assignment-strategy: kafkajs has only RoundRobinAssignor`);
  if (!['earliest', 'latest'].includes(flags['reset-policy'])) {
    throw new Error(`--reset-policy ${flags['reset-policy']}: kafkajs has earliest and latest`);
  }
  const timeout = flags['session-timeout'];
  return { groupId: flags['group-id'], ...(timeout === undefined ? {} : { sessionTimeout: timeout }) };
}

// kafkajs reports what was assigned, and that a rebalance begins: then it lets go of everything.
function reportAssignments(consumer) {
  let assigned = [];
  const revoke = () => {
    if (assigned.length > 0) line('partitions_revoked', { partitions: assigned });
    assigned = [];
  };
  consumer.on(consumer.events.REBALANCING, revoke);
  consumer.on(consumer.events.GROUP_JOIN, ({ payload: { memberAssignment } }) => {
    revoke();
    assigned = Object.entries(memberAssignment).flatMap(([topic, partitions]) =>
      partitions.map((partition) => ({ topic, partition })),
    );
    line('partitions_assigned', { partitions: assigned });
  });
  return revoke;
}

async function consume(flags, kafka, config) {
  const autoCommit = flags['enable-autocommit'];
  const consumer = kafka.consumer({ ...consumerConfig(flags), ...config });
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || fail(payload.error));
  const revoke = reportAssignments(consumer);
  await consumer.connect();
  await consumer.subscribe({ topics: [flags.topic], fromBeginning: flags['reset-policy'] === 'earliest' });
  line('startup_complete');
  let left = flags['max-messages'];
  const eachBatch = async ({ batch: { topic, partition, messages }, resolveOffset }) => {
    const records = left < 0 ? messages : messages.slice(0, left);
    if (records.length === 0 || stopped()) return;
    if (flags.verbose) {
      for (const { key, value, offset } of records) {
        const texts = { key: key?.toString() ?? null, value: value?.toString() ?? null };
        line('record_data', { ...texts, topic, partition, offset: Number(offset) });
      }
    }
    const [minOffset, maxOffset] = [records[0], records.at(-1)].map(({ offset }) => Number(offset));
    const range = { topic, partition, count: records.length, minOffset, maxOffset };
    line('records_consumed', { count: records.length, partitions: [range] });
    resolveOffset(String(maxOffset));
    if (!autoCommit) {
      const offsets = [{ topic, partition, offset: maxOffset + 1 }];
      await consumer.commitOffsets([{ topic, partition, offset: String(maxOffset + 1) }]).then(
        () => line('offsets_committed', { offsets, success: true }),
        ({ message }) => line('offsets_committed', { offsets, success: false, error: message }),
      );
    }
    left -= left > 0 ? records.length : 0;
    if (left === 0) stop();
  };
  if (left !== 0) {
    await consumer.run({ autoCommit, eachBatchAutoResolve: false, eachBatch });
    if (!stopped()) await once(stopping.signal, 'abort');
  }
  await consumer.disconnect();
  revoke();
}

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop);
// {"stop": true} ends the client as SIGTERM does. The end of the input means nothing.
createInterface({ input: process.stdin }).on('line', (text) => {
  try {
    if (JSON.parse(text).stop === true) stop();
  } catch {
    console.error(`not a command: ${text}`);
  }
});
try {
  const [role, flags] = parse();
  const { client, own } = translate(role, flags.config);
  const brokers = flags['bootstrap-server'].split(',');
  const logCreator = () => ({ label, log }) => console.error(label, log.message, log.error ?? '');
  const kafka = new Kafka({ brokers, logLevel: logLevel.WARN, logCreator, ...client });
  const totals = await (role === 'producer' ? produce : consume)(flags, kafka, own);
  line('shutdown_complete');
  if (totals !== undefined) line('tool_data', totals);
  process.exit(0);
} catch (error) {
  fail(error);
}
