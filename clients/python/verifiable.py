"""What the Python clients share: the flags, the lines and the pace of Kafka's verifiable clients.

Nothing in here knows a Kafka library: a client hands its two roles to run().
"""

import argparse
import collections
import json
import os
import re
import signal
import sys
import threading
import time

Message = collections.namedtuple("Message", "key value sent_ms")
Record = collections.namedtuple("Record", "topic partition offset key value")


class Refused(Exception):
    """A flag or a setting that the client does not have."""


class Output:
    """One JSON object a line on standard output. Any thread may write; each line is written at once."""

    def __init__(self):
        self._lock = threading.Lock()
        self.acked = 0

    def line(self, name, **fields):
        text = json.dumps({"timestamp": now_ms(), "name": name, **fields}, separators=(",", ":"))
        try:
            with self._lock:
                sys.stdout.buffer.write(text.encode() + b"\n")
                sys.stdout.buffer.flush()
        except BrokenPipeError:
            # The reader is gone. In a thread of the library exit() would not end the program.
            os._exit(1)

    def acknowledged(self, message, topic, partition, offset):
        self.acked += 1
        self.line("producer_send_success", **message._asdict(), topic=topic, partition=partition, offset=offset)

    def failed(self, message, topic, error):
        self.line("producer_send_error", **message._asdict(), topic=topic, **describe(error))

    def partitions(self, name, partitions):
        self.line(name, partitions=[{"topic": topic, "partition": partition} for topic, partition in partitions])

    def consumed(self, records, verbose):
        """Prints what one poll gave, and returns the offsets to commit by topic and partition."""
        offsets = collections.defaultdict(list)
        for record in records:
            offsets[record.topic, record.partition].append(record.offset)
            if verbose:
                record = record._replace(key=text_of(record.key), value=text_of(record.value))
                self.line("record_data", **record._asdict())
        partitions = [
            {"topic": topic, "partition": partition, "count": len(of), "minOffset": of[0], "maxOffset": of[-1]}
            for (topic, partition), of in offsets.items()
        ]
        self.line("records_consumed", count=len(records), partitions=partitions)
        return {place: of[-1] + 1 for place, of in offsets.items()}

    def committed(self, offsets, error=None):
        places = [{"topic": topic, "partition": partition, "offset": at} for (topic, partition), at in offsets.items()]
        refusal = {} if error is None else {"error": describe(error)["message"]}
        self.line("offsets_committed", offsets=places, success=error is None, **refusal)


def now_ms():
    return time.time_ns() // 1_000_000


def text_of(data):
    return None if data is None else data.decode(errors="replace")


def describe(error):
    return {"exception": type(error).__name__, "message": str(error) or type(error).__name__}


def messages(args, stop):
    """The messages to send, each when it is due: number n comes n/throughput seconds after the start."""
    started, started_ms = time.monotonic(), now_ms()
    number = 0
    while not stop.is_set() and number != args.max_messages:
        sent_ms = now_ms()
        if args.throughput > 0:
            due = number / args.throughput
            if stop.wait(max(0.0, started + due - time.monotonic())):
                return
            sent_ms = started_ms + round(due * 1000)
        key = None if args.repeating_keys is None else str(number % args.repeating_keys)
        value = str(number) if args.value_prefix is None else f"{args.value_prefix}.{number}"
        yield Message(key, value, sent_ms)
        number += 1


def properties(path):
    """The settings of a Java properties file."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        lines = re.sub(r"(?<!\\)((?:\\\\)*)\\\n\s*", r"\1", file.read()).splitlines()
    settings = {}
    for line in map(str.strip, lines):
        if line and line[0] not in "#!":
            name, value = re.fullmatch(r"([^=:\s]+)\s*[=:]?\s*(.*)", line).groups()
            settings[name] = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", unescape, value)
    return settings


def unescape(match):
    escape = match[1]
    if len(escape) == 5:
        return chr(int(escape[1:], 16))
    return {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}.get(escape, escape)


def jaas(text):
    """The user and the password of sasl.jaas.config."""
    found = dict(re.findall(r'(\w+)\s*=\s*"((?:[^"\\]|\\.)*)"', text))
    if not {"username", "password"} <= found.keys():
        raise Refused("sasl.jaas.config: expected username=\"...\" password=\"...\"")
    return [re.sub(r"\\(.)", r"\1", found[name]) for name in ("username", "password")]


def named(flag, text, known):
    """The library's name for what a flag names with a Java class or a short name."""
    name = text.rpartition(".")[2]
    if name not in known:
        raise Refused(f"{flag} {text}: this client has {', '.join(known)}")
    return known[name]


def arguments(description):
    """A parser with Kafka's flags for each role. Flags of the client's own may be added: they stand before the role."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    roles = parser.add_subparsers(dest="role", required=True, metavar="producer|consumer")
    producer, consumer = (roles.add_parser(role, allow_abbrev=False) for role in ("producer", "consumer"))
    for role in producer, consumer:
        role.add_argument("--topic", required=True)
        role.add_argument("--bootstrap-server", required=True, metavar="HOST:PORT,...")
        role.add_argument("--max-messages", type=int, default=-1, help="ends after so many; -1: only when stopped")
        # Kafka's tools up to 4.1 know only the older name.
        config = ("--command-config", f"--{role.prog.rpartition(' ')[2]}.config")
        role.add_argument(*config, dest="config", metavar="FILE", help="Java properties")
    producer.add_argument("--throughput", type=float, default=-1, help="messages a second; -1: as many as possible")
    producer.add_argument("--acks", type=int, default=-1, choices=(-1, 0, 1))
    producer.add_argument("--value-prefix", help="values are PREFIX.0, PREFIX.1 and so on")
    producer.add_argument("--repeating-keys", type=int, metavar="N", help="keys are 0 to N-1, again and again")
    consumer.add_argument("--group-id", required=True)
    consumer.add_argument("--group-instance-id")
    consumer.add_argument("--session-timeout", type=int, metavar="MS")
    consumer.add_argument("--enable-autocommit", action="store_true")
    consumer.add_argument("--reset-policy", choices=("earliest", "latest", "none"), default="earliest")
    consumer.add_argument("--assignment-strategy", help="a Java class, or its name without the package")
    consumer.add_argument("--verbose", action="store_true", help="prints each record")
    return parser


def commands(stop):
    """{"stop": true} on standard input ends the client as SIGTERM does. The end of the input means nothing."""
    for line in sys.stdin:
        try:
            if json.loads(line).get("stop") is True:
                stop.set()
        except (ValueError, AttributeError):
            print(f"not a command: {line.rstrip()}", file=sys.stderr)


def run(args, produce, consume):
    """Runs a role and ends the program: produce(args, output, stop) or consume(args, output, stop)."""
    output, stop = Output(), threading.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=commands, args=(stop,), daemon=True).start()
    started = time.monotonic()
    try:
        sent = (produce if args.role == "producer" else consume)(args, output, stop)
    except Exception as error:
        # shutdown_complete would claim an orderly end.
        output.line("client_error", **describe(error))
        print("{exception}: {message}".format(**describe(error)), file=sys.stderr)
        os._exit(1)
    output.line("shutdown_complete")
    if args.role == "producer":
        rate = output.acked / max(time.monotonic() - started, 1e-9)
        output.line("tool_data", sent=sent, acked=output.acked, target_throughput=args.throughput, avg_throughput=rate)
    # Not exit(): the thread that reads the commands may sit in a read.
    sys.stdout.flush()
    os._exit(0)
