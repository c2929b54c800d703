#!/usr/bin/env python3
"""kafka-python, any version from 1.4.7 on, as one of Kafka's verifiable clients: see ../README.md."""

import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import verifiable

if sys.version_info >= (3, 12):
    # The copy of `six` in kafka-python 1.4.7 makes its modules with an import hook that Python 3.12 no longer calls.
    try:
        import six

        sys.modules["kafka.vendor.six.moves"] = six.moves
    except ImportError:
        pass  # newer versions need no six

import kafka
from kafka.errors import KafkaError

# kafka-python 3 puts no bound on what waits in the producer. Kafka's Java client waits when 32 MiB are full.
MOST_UNACKNOWLEDGED = 10_000
POLL_MS = 500


def main():
    parser = verifiable.arguments(__doc__)
    parser.add_argument("--api-version", metavar="N.N", help="the brokers' version, instead of asking them for it")
    verifiable.run(parser.parse_args(), produce, consume)


def settings(args, known):
    """The library's settings for those of the command line and of the properties file."""
    config = {"bootstrap_servers": args.bootstrap_server.split(",")}
    properties = verifiable.properties(args.config)
    if args.api_version is not None:
        properties["api.version"] = args.api_version
    for name, text in properties.items():
        own = name.replace(".", "_")
        if name == "api.version":
            config[own] = tuple(map(int, text.split(".")))
        elif name == "sasl.jaas.config":
            config["sasl_plain_username"], config["sasl_plain_password"] = verifiable.jaas(text)
        elif name == "ssl.truststore.location":
            config["ssl_cafile"] = text
        elif name == "ssl.keystore.location":
            config["ssl_certfile"] = config["ssl_keyfile"] = text
        elif name == "ssl.key.password":
            config["ssl_password"] = text
        elif name in ("ssl.truststore.type", "ssl.keystore.type") and text == "PEM":
            pass
        elif name == "ssl.endpoint.identification.algorithm":
            config["ssl_check_hostname"] = text != ""
        elif own in known:
            config[own] = typed(name, text, known[own])
        elif (name, text) == ("isolation.level", "read_uncommitted"):
            pass  # A version without transactions reads everything.
        else:
            raise verifiable.Refused(f"kafka-python {kafka.__version__} has no setting for {name}={text}")
    return config


def typed(name, text, default):
    if isinstance(default, bool):
        return text == "true"
    if isinstance(default, (int, float)) or name.endswith(".bytes"):
        return float(text) if "." in text else int(text)
    return text


def produce(args, output, stop):
    config = {"acks": args.acks, **settings(args, kafka.KafkaProducer.DEFAULT_CONFIG)}
    producer = kafka.KafkaProducer(**config)
    output.line("startup_complete")
    places = threading.Semaphore(MOST_UNACKNOWLEDGED)

    def acknowledged(message, metadata):
        places.release()
        output.acknowledged(message, args.topic, metadata.partition, metadata.offset)

    def failed(message, error):
        places.release()
        output.failed(message, args.topic, error)

    sent = 0
    for message in verifiable.messages(args, stop):
        while not places.acquire(timeout=POLL_MS / 1000):
            if stop.is_set():
                break
        if stop.is_set():
            break
        sent += 1
        try:
            key = None if message.key is None else message.key.encode()
            future = producer.send(args.topic, message.value.encode(), key)
        except KafkaError as error:
            failed(message, error)
        else:
            future.add_callback(acknowledged, message)
            future.add_errback(failed, message)
    producer.close()
    return sent


def consume(args, output, stop):
    config = {
        "group_id": args.group_id,
        "enable_auto_commit": args.enable_autocommit,
        "auto_offset_reset": args.reset_policy,
    }
    if args.assignment_strategy is not None:
        config["partition_assignment_strategy"] = [assignor(args.assignment_strategy)]
    if args.session_timeout is not None:
        config["session_timeout_ms"] = args.session_timeout
    if args.group_instance_id is not None:
        if "group_instance_id" not in kafka.KafkaConsumer.DEFAULT_CONFIG:
            raise verifiable.Refused(f"--group-instance-id: kafka-python {kafka.__version__} has no static members")
        config["group_instance_id"] = args.group_instance_id
    config.update(settings(args, kafka.KafkaConsumer.DEFAULT_CONFIG))
    consumer = kafka.KafkaConsumer(**config)
    consumer.subscribe([args.topic], listener=Listener(output))
    output.line("startup_complete")
    left = args.max_messages
    while left != 0 and not stop.is_set():
        polled = consumer.poll(timeout_ms=POLL_MS, **({} if left < 0 else {"max_records": min(left, 500)}))
        records = [
            verifiable.Record(each.topic, each.partition, each.offset, each.key, each.value)
            for of_partition in polled.values()
            for each in of_partition
        ]
        if not records:
            continue
        offsets = output.consumed(records, args.verbose)
        left -= len(records) if left > 0 else 0
        if not args.enable_autocommit:
            try:
                consumer.commit({kafka.TopicPartition(*place): at_offset(at) for place, at in offsets.items()})
                output.committed(offsets)
            except KafkaError as error:
                output.committed(offsets, error)
    consumer.close()


def at_offset(offset):
    """What is committed: its fields are two in kafka-python 1, three in 3."""
    fields = kafka.structs.OffsetAndMetadata._fields
    return kafka.structs.OffsetAndMetadata(*(offset, "", -1)[: len(fields)])


def assignor(name):
    from kafka.coordinator.assignors.range import RangePartitionAssignor
    from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

    known = {"RangeAssignor": RangePartitionAssignor, "RoundRobinAssignor": RoundRobinPartitionAssignor}
    return verifiable.named("--assignment-strategy", name, known)


class Listener(kafka.ConsumerRebalanceListener):
    def __init__(self, output):
        self.output = output

    def on_partitions_assigned(self, assigned):
        self.output.partitions("partitions_assigned", sorted(assigned))

    def on_partitions_revoked(self, revoked):
        # Before its first generation kafka-python "revokes" nothing.
        if revoked:
            self.output.partitions("partitions_revoked", sorted(revoked))


if __name__ == "__main__":
    main()
