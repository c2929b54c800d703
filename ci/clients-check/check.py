"""Runs ready clients against a broker and compares their lines with what they were to do.

The step `run` of brokers.yaml starts it: KPLAN_BOOTSTRAP is the broker, which has a topic with the name of each client.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ["TARGET"])
BOOTSTRAP = os.environ["KPLAN_BOOTSTRAP"]
OLD = os.environ["KAFKA_VERSION"].startswith("0.")
MESSAGES = 200
KEYS = 7
# For one part of the check, on a machine with other work, too.
PATIENCE = 60

CLIENTS = {
    "kafka-python": [TARGET / "kafka-python/bin/python", ROOT / "clients/kafka-python/client.py"],
    "kafka-python-1.4.7": [TARGET / "kafka-python-1.4.7/bin/python", ROOT / "clients/kafka-python/client.py"],
    "confluent-kafka-python": [
        TARGET / "confluent-kafka-python/bin/python",
        ROOT / "clients/confluent-kafka-python/client.py",
    ],
    "franz-go": [TARGET / "franz-go/client"],
    "kafkajs": ["node", ROOT / "clients/kafkajs/client.mjs"],
    "java": [ROOT / "clients/java/client"],
}
# 1.4.7 gives up after 2 s without an answer, which a busy machine does not always give.
SETTINGS = {"kafka-python-1.4.7": "api.version.auto.timeout.ms=30000\n"}
# Kafka's own tool of 4.1.1 does not speak with 0.10.1.1, and reads no commands; a JVM that gets SIGTERM ends with 143.
JAVA = "java"
KAFKA_PYTHON = ("kafka-python", "kafka-python-1.4.7")


class Wrong(Exception):
    pass


def must(holds, text):
    if not holds:
        raise Wrong(text)


class Client:
    """A client that runs; its lines are read from a file, so that it never waits for this program."""

    def __init__(self, name, flags, bootstrap=BOOTSTRAP, settings=None, before=()):
        self.name = name
        self.output = tempfile.TemporaryFile()
        self.errors = tempfile.TemporaryFile()
        self.settings = tempfile.NamedTemporaryFile("w", suffix=".properties")
        self.settings.write(settings or SETTINGS.get(name, ""))
        self.settings.flush()
        role, *rest = flags
        # The name of the flag that Kafka's tool of 4.1.1 knows, too.
        rest += [f"--{role}.config", self.settings.name]
        command = [*CLIENTS[name], *before, role, "--topic", name, "--bootstrap-server", bootstrap, *rest]
        environment = {**os.environ, "KAFKA_LIBS": str(TARGET / "java")}
        self.process = subprocess.Popen(
            [*map(str, command)], stdin=subprocess.PIPE, stdout=self.output, stderr=self.errors, env=environment
        )

    def text(self, of):
        return os.pread(of.fileno(), 1 << 30, 0).decode()

    def lines(self, name=None):
        """The whole lines so far, or those with a name. Each has to be JSON; a torn last line is none."""
        whole = self.text(self.output).rpartition("\n")[0].splitlines()
        events = [json.loads(line) for line in whole]
        must(all(isinstance(each["timestamp"], int) for each in events), "a line without a timestamp")
        return [each for each in events if name in (None, each["name"])]

    def until(self, what, holds):
        deadline = time.monotonic() + PATIENCE
        while not holds():
            must(self.process.poll() is None, f"ended before {what}: {self.ended()}")
            must(time.monotonic() < deadline, f"no {what} within {PATIENCE} s: {self.ended()}")
            time.sleep(0.05)

    def wait(self):
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Wrong(f"still runs after {PATIENCE} s: {self.ended()}") from None

    def ended(self):
        return f"status {self.process.poll()}, {self.text(self.output)[-600:]} {self.text(self.errors)[-600:]}"


@contextlib.contextmanager
def client(name, *flags, **others):
    running = Client(name, flags, **others)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def produces(name, prefix):
    """Each message is acknowledged once, at a place of its own; returns key and value by place."""
    flags = ["--max-messages", str(MESSAGES), "--value-prefix", prefix, "--repeating-keys", str(KEYS)]
    with client(name, "producer", *flags) as running:
        status = running.wait()
        must(status == 0, f"the producer failed: {running.ended()}")
        names = [each["name"] for each in running.lines()]
        must(names[0] == "startup_complete", f"begins with {names[0]}")
        must(names[-2:] == ["shutdown_complete", "tool_data"], f"ends with {names[-2:]}")
        must("producer_send_error" not in names, f"a send failed: {running.ended()}")
        acked = running.lines("producer_send_success")
        values = sorted(int(each["value"].removeprefix(prefix + ".")) for each in acked)
        must(values == list(range(MESSAGES)), f"acknowledged {len(values)} of {MESSAGES}")
        must(all(each["topic"] == name for each in acked), "another topic")
        for each in acked:
            number = int(each["value"].removeprefix(prefix + "."))
            must(each["key"] == str(number % KEYS), f"key {each['key']} of message {number}")
        placed = {(each["partition"], each["offset"]): (each["key"], each["value"]) for each in acked}
        must(len(placed) == MESSAGES, "two messages at one place")
        totals = running.lines("tool_data")[0]
        must((totals["sent"], totals["acked"]) == (MESSAGES, MESSAGES), f"totals {totals}")
        return placed


def consumes(name, group, placed, *flags):
    """Reads the topic from its start, and what was acknowledged is where the producer printed it."""
    committing = "--enable-autocommit" not in flags
    with client(name, "consumer", "--group-id", group, "--verbose", *flags) as running:

        def read():
            return {(each["partition"], each["offset"]): each for each in running.lines("record_data")}

        running.until("all records", lambda: placed.keys() <= read().keys())
        if committing:
            # What is printed is committed after it.
            running.until("a commit", lambda: committed(running) == ends(running))
        running.process.terminate()
        status = running.wait()
        must(status == (143 if name == JAVA else 0), f"SIGTERM: {running.ended()}")
        found = {place: (each["key"], each["value"]) for place, each in read().items() if place in placed}
        must(found == placed, "records differ from what was acknowledged")
        names = [each["name"] for each in running.lines()]
        must(names[0] == "startup_complete" and names[-1] == "shutdown_complete", f"{names[0]} … {names[-1]}")
        assigned = running.lines("partitions_assigned")[-1]["partitions"]
        must(sorted(each["partition"] for each in assigned) == [0, 1, 2], f"assigned {assigned}")
        counted = 0
        for each in running.lines("records_consumed"):
            must(each["count"] == sum(of["count"] for of in each["partitions"]), f"counts differ: {each}")
            for of in each["partitions"]:
                must(of["topic"] == name, "another topic")
                must(of["maxOffset"] - of["minOffset"] + 1 == of["count"], f"a gap: {of}")
            counted += each["count"]
        must(counted == len(running.lines("record_data")), f"{counted} records counted")


def committed(running):
    for each in running.lines("offsets_committed"):
        must(each["success"] is True, f"a commit failed: {each}")
    return {of["partition"]: of["offset"] for each in running.lines("offsets_committed") for of in each["offsets"]}


def ends(running):
    return {
        of["partition"]: of["maxOffset"] + 1
        for each in running.lines("records_consumed")
        for of in each["partitions"]
    }


def ends_in_the_middle(name, prefix, end):
    """An endless producer is ended in a way; what it printed by then is whole."""
    with client(name, "producer", "--throughput", "100", "--value-prefix", prefix) as running:
        running.until("20 messages", lambda: len(running.lines("producer_send_success")) >= 20)
        end(running)
        status = running.wait()
        acked = running.lines("producer_send_success")
        must(len({each["value"] for each in acked}) == len(acked), "a message acknowledged twice")
        return status, running.lines()[-1], running.ended()


def ends_by_request(name, prefix, end):
    status, last, ended = ends_in_the_middle(name, prefix, end)
    must(status == (143 if name == JAVA else 0), ended)
    must(last["name"] in ("shutdown_complete", "tool_data"), ended)
    if last["name"] == "tool_data":
        must(last["sent"] == last["acked"], ended)


def says_stop(running):
    running.process.stdin.write(b'{"stop": true}\n')
    running.process.stdin.flush()


def refuses(name):
    """A setting that the client does not have is named, and the client ends with 1."""
    with client(name, "producer", "--max-messages", "1", settings="no.such.setting=1\n") as running:
        must(running.wait() == 1, running.ended())
        must("no.such.setting" in running.text(running.errors), running.ended())
        must(not running.lines("shutdown_complete"), running.ended())


def without_brokers():
    """The first row of the incident: no broker listens where the client looks."""
    with client("kafka-python-1.4.7", "producer", "--max-messages", "1", bootstrap="127.0.0.1:1") as running:
        must(running.wait() == 1, running.ended())
        error = running.lines("client_error")
        must([each["exception"] for each in error] == ["NoBrokersAvailable"], running.ended())
        must("NoBrokersAvailable" in running.text(running.errors), running.ended())


def with_api_version(name, prefix):
    """The second row: the client is given the brokers' version. Brokers of 4.1.1 no longer speak as 0.10 did."""
    # kafka-python 3 tries again for two minutes by default.
    settings = "delivery.timeout.ms=10000\nrequest.timeout.ms=5000\n" if name == "kafka-python" else None
    flags = ["producer", "--max-messages", "1", "--value-prefix", prefix]
    with client(name, *flags, settings=settings, before=["--api-version", "0.10"]) as running:
        must(running.wait() == 0, running.ended())
        wanted = "producer_send_success" if OLD else "producer_send_error"
        must(len(running.lines(wanted)) == 1, running.ended())


def checks(name):
    """The checks of a client. The prefixes of its values are numbers: Kafka's own tool takes no other."""
    placed = {}

    yield f"{MESSAGES} messages produced", lambda: placed.update(produces(name, "1"))
    yield "all of them read, committed, SIGTERM", lambda: consumes(name, "manual", placed)
    yield "the same with commits by the client", lambda: consumes(name, "auto", placed, "--enable-autocommit")
    yield "SIGTERM", lambda: ends_by_request(name, "2", lambda running: running.process.terminate())
    yield "SIGKILL", lambda: ends_in_the_middle(name, "3", lambda running: running.process.kill())
    if name != JAVA:
        yield '{"stop": true}', lambda: ends_by_request(name, "4", says_stop)
        yield "an unknown setting", lambda: refuses(name)
    if name in KAFKA_PYTHON:
        yield "--api-version", lambda: with_api_version(name, "5")
    if name == "kafka-python-1.4.7":
        yield "no brokers", without_brokers


def main():
    names = os.environ["CLIENTS"].split() or list(CLIENTS)
    failed = passed = 0
    for name in names:
        if OLD and name == JAVA:
            continue
        for title, check in checks(name):
            try:
                check()
                passed += 1
                print(f"ok      {name}: {title}", flush=True)
            except Wrong as wrong:
                failed += 1
                print(f"FAILED  {name}: {title}: {wrong}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
