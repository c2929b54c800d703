"""Writes an invoice to the topic TO for each order in the topic FROM, at least once."""

import json
import os

import orders
from confluent_kafka import Producer

producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP"], "enable.idempotence": True, "linger.ms": 0})
to = os.environ["TO"]


def delivered(error, _):
    if error is not None:
        # Its order is not committed: whoever starts the service again reads it again.
        raise SystemExit(f"an invoice was not written: {error}")


def invoice(order):
    producer.produce(to, json.dumps({"invoice": True, "id": order["id"]}), on_delivery=delivered)
    producer.poll(0)


orders.run(invoice, producer.flush)
