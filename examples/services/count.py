"""Counts the orders without an invoice, and the invoices beyond one for each order: with its own reader, by their ids.

Usage: count.py ORDERS INVOICES MISSING SURPLUS. Exits with 1 unless it counts MISSING and SURPLUS.
"""

import collections
import json
import os
import sys

from confluent_kafka import Consumer, TopicPartition


def ids(topic):
    """The ids of all committed messages of a topic, with how often each is there."""
    consumer = Consumer({"bootstrap.servers": os.environ["KPLAN_BOOTSTRAP"], "group.id": "count", "enable.partition.eof": True})
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found, open_partitions = collections.Counter(), set(partitions)
    while open_partitions:
        message = consumer.poll(10)
        if message is None:
            sys.exit(f"{topic} cannot be read to its end")
        if message.error():  # The end of a partition, the only error that is no exception.
            open_partitions.discard(message.partition())
        else:
            found[json.loads(message.value())["id"]] += 1
    consumer.close()
    return found


orders, invoices = ids(sys.argv[1]), ids(sys.argv[2])
missing = len(orders - invoices)
surplus = (invoices - orders).total()
print(f"{orders.total()} orders, {missing} of them without an invoice; {surplus} invoices too many")
sys.exit([str(missing), str(surplus)] != sys.argv[3:])
