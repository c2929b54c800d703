// Writes an invoice to the topic TO for each order in the topic FROM, at least once.
// OFFSET_RESET=latest is the planted mistake: a group without offsets begins at the end of the topic, and what was
// there before it joined gets no invoice.

import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

const { KAFKA_BOOTSTRAP, GROUP, FROM, TO, OFFSET_RESET = 'earliest', BATCH = '20', WORK_MS = '5' } = process.env;
const kafka = new Kafka({ brokers: KAFKA_BOOTSTRAP.split(','), logLevel: logLevel.ERROR });
const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
// So long a killed service keeps its partitions.
const sessionTimeout = 10_000;
const consumer = kafka.consumer({ groupId: GROUP, sessionTimeout });
consumer.on(consumer.events.GROUP_JOIN, () => console.log(`subscribed to ${FROM} as ${GROUP}`));
// kafkajs starts the consumer again by itself unless the error lasts.
consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || process.exit(1));

await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: [FROM], fromBeginning: OFFSET_RESET !== 'latest' });
await consumer.run({
  // Offsets are committed after so many messages; an offset counts as reached when eachMessage has ended.
  autoCommitThreshold: Number(BATCH),
  partitionsConsumedConcurrently: 3,
  eachMessage: async ({ message }) => {
    await delay(Number(WORK_MS));
    const { id } = JSON.parse(message.value);
    await producer.send({ topic: TO, acks: -1, messages: [{ value: JSON.stringify({ invoice: true, id }) }] });
  },
});
process.once('SIGTERM', async () => {
  await consumer.disconnect();
  await producer.disconnect();
});
