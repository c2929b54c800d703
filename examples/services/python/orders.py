"""Reads a topic at least once: commits the offsets of a batch when all of it is processed.

COMMIT_BEFORE_PROCESSING=1 is the planted mistake: the offsets are committed first, and what a killed
service had not processed by then is lost.
"""

import json
import os
import signal
import time

from confluent_kafka import Consumer, KafkaException

BATCH = int(os.environ.get("BATCH", 20))
# A batch takes BATCH times as long, so that a kill almost always comes in the middle of one.
WORK_SECONDS = float(os.environ.get("WORK_MS", 5)) / 1000


def run(process, finish):
    """Calls process(order) for each message, and finish() when those of a batch have to be written."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    topic, group = os.environ["FROM"], os.environ["GROUP"]
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"],
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # So long a killed service keeps its partitions.
            "session.timeout.ms": 10000,
        }
    )
    consumer.subscribe([topic], on_assign=lambda *_: print(f"subscribed to {topic} as {group}", flush=True))
    commit_first = os.environ.get("COMMIT_BEFORE_PROCESSING") == "1"
    while not ended:
        messages = [each for each in consumer.consume(BATCH, timeout=0.5) if each.error() is None]
        if messages and commit_first:
            commit(consumer)
        for number, message in enumerate(messages):
            if number == len(messages) // 2:
                print(f"halfway through {len(messages)} orders", flush=True)
            time.sleep(WORK_SECONDS)
            process(json.loads(message.value()))
        finish()
        if messages and not commit_first:
            commit(consumer)
    consumer.close()


def commit(consumer):
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:
        # The next commit covers this one, too; until then a restart reads more than it needs.
        print(f"could not commit: {error}", flush=True)
