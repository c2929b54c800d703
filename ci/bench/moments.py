"""How well kplan tells moments, beside an observer of its own: a leader is killed, and while kplan waits for
the in-sync sets to shrink and judges `recovered`, this process asks the living brokers every 10 ms, by the
protocol, for the same. Compared are moments of the machine's monotonic clock.

`wait: until` ends when kplan sees what it waits for: the time by which it is behind the observer.
`recovered` ends with the first acknowledgement of a message sent after the fault, on the worst partition.
The observer sees the high watermark grow when a message is committed: the time between the two.
"""

import re
import socket
import struct
import sys
import threading
import time

from common import SMALL, Run, bootstrap

ROUNDS = 1 if SMALL else 3
LIMIT_MS = 100
POLL_S = 0.01
PARTITIONS = 3


def plan() -> str:
    text = """plan: v1
name: Moments
timeout: 29m
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: { name: orders, partitions: 3, replicas: 3 }
  - start_producer: { name: P, topic: orders, rate: 500/s }
  - wait: 5s
"""
    for i in range(ROUNDS):
        text += f"""  - name: kill {i}
    kill_broker: {{ leader_of: orders/0 }}
  - name: shrunk {i}
    wait:
      until:
        - in_sync: {{ topic: orders, replicas: 2 }}
      within: 2m
  - name: recovered {i}
    wait:
      until:
        - recovered: {{ client: P, at_most: 2m }}
      within: 2m
  - start_broker: {{ same_as: kill {i} }}
  - wait:
      until:
        - in_sync: {{ topic: orders, replicas: 3 }}
      within: 2m
"""
    return text + """  - stop_client: P
  - assert:
      - lost: 0
"""


class Broker:
    """One connection; asks in versions that every Kafka from 0.10.1 to 4.1 answers."""

    def __init__(self, address: str):
        self.address, self.socket = address, None

    def call(self, key: int, version: int, body: bytes) -> bytes | None:
        """The answer's body; none from a broker that does not answer."""
        try:
            if self.socket is None:
                host, port = self.address.rsplit(":", 1)
                self.socket = socket.create_connection((host, int(port)), timeout=1)
                self.socket.settimeout(1)
            name = b"kplan-bench"
            head = struct.pack(">hhih", key, version, 7, len(name)) + name
            self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
            (size,) = struct.unpack(">i", self.read(4))
            return self.read(size)[4:]
        except (OSError, EOFError):
            if self.socket is not None:
                self.socket.close()
            self.socket = None
            return None

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def metadata(self) -> dict[int, tuple[int, int]]:
        """Leader and size of the in-sync set of each partition of orders; empty without an answer."""
        data = self.call(3, 1, struct.pack(">ih", 1, 6) + b"orders")
        if data is None:
            return {}
        at = 0

        def take(form: str):
            nonlocal at
            (value,) = struct.unpack_from(form, data, at)
            at += struct.calcsize(form)
            return value

        def skip(count: int):
            nonlocal at
            at += count

        def skip_text():
            skip(max(take(">h"), 0))

        for _ in range(take(">i")):
            take(">i"), skip_text(), take(">i"), skip_text()
        take(">i")
        found = {}
        for _ in range(take(">i")):
            take(">h"), skip_text(), take(">b")
            for _ in range(take(">i")):
                take(">h")
                partition, leader = take(">i"), take(">i")
                skip(4 * take(">i"))
                in_sync = take(">i")
                skip(4 * in_sync)
                found[partition] = (leader, in_sync)
        return found

    def watermark(self, partition: int) -> int | None:
        """The high watermark of a partition that this broker leads."""
        body = struct.pack(">iih", -1, 1, 6) + b"orders" + struct.pack(">iiq", 1, partition, -1)
        data = self.call(2, 1, body)
        if data is None:
            return None
        error, _, offset = struct.unpack_from(">hqq", data, 4 + 2 + 6 + 4 + 4)
        return offset if error == 0 else None


class Observer(threading.Thread):
    """From a kill on: when every in-sync set had shrunk, and when each partition's watermark grew."""

    def __init__(self, addresses: dict[int, str]):
        super().__init__(daemon=True)
        self.brokers = {number: Broker(address) for number, address in addresses.items()}
        self.shrunk, self.grown, self.done = None, {}, False

    def run(self):
        first = {}
        while not self.done:
            begun = time.monotonic()
            for number, broker in self.brokers.items():
                seen = broker.metadata()
                now = time.monotonic()
                if self.shrunk is None and len(seen) == PARTITIONS and all(n == 2 for _, n in seen.values()):
                    self.shrunk = now
                for partition in (p for p, (leader, _) in seen.items() if leader == number):
                    mark = broker.watermark(partition)
                    if mark is None or partition in self.grown:
                        continue
                    if mark > first.setdefault(partition, mark):
                        self.grown[partition] = time.monotonic()
            time.sleep(max(0.0, POLL_S - (time.monotonic() - begun)))


def measure() -> list[tuple[str, float, float, float]]:
    """Two rows: what, the worst of the rounds, the limit, their ratio."""
    run = Run(plan())
    names, run_id, observer, waits, recoveries, until = {}, "", None, [], [], None
    try:
        for event in run.events():
            kind, name = event["event"], names.get(event.get("step"), "")
            if kind == "run_started":
                run_id = event["run"]
            elif kind == "suite_started":
                names = {s["id"]: s["title"] for s in event["steps"]}
            elif kind == "step_ended" and name.startswith("kill"):
                # The killed one refuses; its port is published no more.
                ports = bootstrap(run_id).split(",")
                observer = Observer(dict(living(ports)))
                observer.start()
            elif kind == "step_ended" and name.startswith("shrunk"):
                ended = event["mono_us"] / 1e6
                time.sleep(POLL_S * 5)
                waits.append((ended - observer.shrunk) * 1000 if observer.shrunk else float("inf"))
            elif kind == "span" and event["kind"] == "recovered":
                until = event.get("until_us")
            elif kind == "step_ended" and name.startswith("recovered"):
                observer.done = True
                observer.join()
                grown = max(observer.grown.values(), default=0) * 1000
                recoveries.append(abs(until / 1000 - grown) if until else float("inf"))
        run.passed()
    finally:
        run.process.terminate()
    told = lambda all_: " ".join(f"{ms:.0f}" for ms in all_)
    print(f"rounds: wait {told(waits)} ms, recovered {told(recoveries)} ms", file=sys.stderr)
    worst = lambda all_: max(all_, default=float("inf"))
    return [
        ("recovered, ms beside an observer's, over the limit", worst(recoveries), LIMIT_MS,
         worst(recoveries) / LIMIT_MS),
        ("wait: until, ms behind an observer's, over the limit", worst(waits), LIMIT_MS,
         worst(waits) / LIMIT_MS),
    ]


def living(addresses: list[str]) -> list[tuple[int, str]]:
    """Numbers and addresses of the brokers that answer: each is asked who leads, and what it leads."""
    found = []
    for address in addresses:
        data = Broker(address).call(3, 1, struct.pack(">ih", 1, 6) + b"orders")
        if data is None:
            continue
        port = int(address.rsplit(":", 1)[1])
        # Brokers advertise 127.0.0.1 and their published port.
        for match in re.finditer(rb"127\.0\.0\.1", data):
            (other,) = struct.unpack_from(">i", data, match.end())
            (number,) = struct.unpack_from(">i", data, match.start() - 6)
            if other == port:
                found.append((number, address))
    return found


if __name__ == "__main__":
    for what, ours, limit, ratio in measure():
        print(f"{what}: {ours:.0f} / {limit} = {ratio:.2f}")
