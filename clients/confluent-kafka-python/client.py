#!/usr/bin/env python3
"""confluent-kafka-python (librdkafka) as one of Kafka's verifiable clients: see ../README.md."""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import verifiable
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

POLL_SECONDS = 0.5
MOST_RECORDS = 500
ASSIGNORS = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "CooperativeStickyAssignor": "cooperative-sticky",
}
# librdkafka knows most settings by the names that they have in Java; it refuses what it does not know.
RENAMED = {
    "ssl.truststore.location": ["ssl.ca.location"],
    "ssl.keystore.location": ["ssl.certificate.location", "ssl.key.location"],
}


def main():
    verifiable.run(verifiable.arguments(__doc__).parse_args(), produce, consume)


def settings(args):
    """librdkafka's settings for those of the command line and of the properties file."""
    config = {"bootstrap.servers": args.bootstrap_server}
    for name, text in verifiable.properties(args.config).items():
        if name == "sasl.jaas.config":
            config["sasl.username"], config["sasl.password"] = verifiable.jaas(text)
        elif name == "ssl.endpoint.identification.algorithm":
            config[name] = text or "none"
        elif name in ("ssl.truststore.type", "ssl.keystore.type"):
            if text != "PEM":
                raise verifiable.Refused(f"{name}={text}: librdkafka reads files of the type PEM")
        else:
            config.update((own, text) for own in RENAMED.get(name, [name]))
    return config


def produce(args, output, stop):
    producer = Producer({"acks": args.acks, **settings(args)})
    output.line("startup_complete")
    flushed = threading.Event()

    def serve():
        # Delivery reports come while poll runs, also when the next message is due much later.
        while not flushed.is_set():
            producer.poll(POLL_SECONDS)

    server = threading.Thread(target=serve)
    server.start()

    def send(message):
        def delivered(error, sent):
            if error is None:
                output.acknowledged(message, sent.topic(), sent.partition(), sent.offset())
            else:
                output.failed(message, args.topic, KafkaException(error))

        while not stop.is_set():
            try:
                producer.produce(args.topic, message.value, message.key, on_delivery=delivered)
                return 1
            except BufferError:
                producer.poll(POLL_SECONDS)
            except KafkaException as error:
                output.failed(message, args.topic, error)
                return 1
        return 0

    sent = sum(map(send, verifiable.messages(args, stop)))
    producer.flush()
    flushed.set()
    server.join()
    return sent


def consume(args, output, stop):
    config = {
        "group.id": args.group_id,
        "enable.auto.commit": args.enable_autocommit,
        "auto.offset.reset": "error" if args.reset_policy == "none" else args.reset_policy,
    }
    if args.assignment_strategy is not None:
        config["partition.assignment.strategy"] = verifiable.named(
            "--assignment-strategy", args.assignment_strategy, ASSIGNORS
        )
    if args.session_timeout is not None:
        config["session.timeout.ms"] = args.session_timeout
    if args.group_instance_id is not None:
        config["group.instance.id"] = args.group_instance_id
    consumer = Consumer({**config, **settings(args)})

    def changed(name):
        return lambda _, of: output.partitions(name, sorted((each.topic, each.partition) for each in of))

    revoked = changed("partitions_revoked")
    consumer.subscribe([args.topic], on_assign=changed("partitions_assigned"), on_revoke=revoked, on_lost=revoked)
    output.line("startup_complete")
    left = args.max_messages
    while left != 0 and not stop.is_set():
        polled = consumer.consume(MOST_RECORDS if left < 0 else min(left, MOST_RECORDS), POLL_SECONDS)
        records = []
        for each in polled:
            if each.error() is None:
                place = each.topic(), each.partition(), each.offset()
                records.append(verifiable.Record(*place, each.key(), each.value()))
            elif each.error().fatal() or args.reset_policy == "none":
                raise KafkaException(each.error())
            else:
                print(each.error(), file=sys.stderr)
        if not records:
            continue
        offsets = output.consumed(records, args.verbose)
        left -= len(records) if left > 0 else 0
        if not args.enable_autocommit:
            try:
                positions = [TopicPartition(*place, at) for place, at in offsets.items()]
                consumer.commit(offsets=positions, asynchronous=False)
                output.committed(offsets)
            except KafkaException as error:
                output.committed(offsets, error)
    consumer.close()


if __name__ == "__main__":
    main()
