"""A fresh cluster of three brokers, a topic of 3 partitions and 3 replicas, one message acknowledged by all,
everything removed again: the whole of `kplan run`, beside the same by hand with `docker run`, Kafka's own
scripts and kcat on the same image. In turns; the median of the rounds.
"""

import os
import statistics
import subprocess
import time

from common import SMALL, Run, busy_s

ROUNDS = 1 if SMALL else 3
IMAGE = "kplan/kafka:4.1.1"
LIMIT_S = 120
# What is said below the table.
NOTES: list[str] = []
PLAN = """plan: v1
name: One message
steps:
  - start_cluster: { brokers: 3, version: 4.1.1 }
  - create_topic: { name: orders, partitions: 3, replicas: 3 }
  - produce: { topic: orders, messages: [{ value: hello }], acks: all }
  - assert:
      - brokers_alive: 3
"""
# Each node writes its configuration, formats its storage and starts, as Kafka's quickstart does.
NODE = """
cat > /tmp/server.properties <<END
process.roles=broker,controller
node.id={i}
controller.quorum.voters={voters}
listeners=INSIDE://:9092,CONTROLLER://:9093,OUTSIDE://:9094
advertised.listeners=INSIDE://{name}:9092,OUTSIDE://127.0.0.1:{port}
listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
log.dirs=/tmp/logs
END
/opt/kafka/bin/kafka-storage.sh format -t {cluster} -c /tmp/server.properties
exec /opt/kafka/bin/kafka-server-start.sh /tmp/server.properties
"""


def docker(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["docker", *words], check=check, capture_output=True, text=True)


def by_hand() -> float:
    """Seconds from nothing to nothing."""
    run = f"bench-{os.getpid()}"
    label = f"kplan.run={run}"
    begun = time.monotonic()
    names = [f"{run}-{i}" for i in (1, 2, 3)]
    ports = [29191, 29192, 29193]
    voters = ",".join(f"{i}@{name}:9093" for i, name in enumerate(names, 1))
    try:
        docker("network", "create", "--label", label, run)
        for i, (name, port) in enumerate(zip(names, ports), 1):
            script = NODE.format(i=i, name=name, port=port, voters=voters,
                                 cluster="4L6g3nShT-eMCtK--X86sw")
            docker("run", "-d", "--name", name, "--network", run, "--label", label,
                   "-e", "KAFKA_HEAP_OPTS=-Xmx384m", "-p", f"127.0.0.1:{port}:9094",
                   "--entrypoint", "/bin/bash", IMAGE, "-c", script)
        create = ["exec", names[0], "/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server",
                  f"{names[0]}:9092", "--create", "--if-not-exists", "--topic", "orders",
                  "--partitions", "3", "--replication-factor", "3"]
        while docker(*create, check=False).returncode != 0:
            if time.monotonic() - begun > LIMIT_S:
                raise SystemExit(f"bench: no topic by hand after {LIMIT_S} s")
        subprocess.run(["kcat", "-P", "-b", f"127.0.0.1:{ports[0]}", "-t", "orders", "-X", "acks=all"],
                       input="hello\n", check=True, capture_output=True, text=True)
    finally:
        docker("rm", "-f", *names, check=False)
        docker("network", "rm", run, check=False)
    return time.monotonic() - begun


def with_kplan() -> tuple[float, list[float]]:
    """Seconds from nothing to nothing, and where they went: see `profile`."""
    run, busy, at = Run(PLAN), busy_s(), {}
    for event in run.events():
        kind = event["event"]
        mark = {"node": f"node {event.get('state')}", "step_ended": f"step {event.get('step')}"}.get(kind, kind)
        at.setdefault(mark, event["mono_us"] / 1e6)
        if mark == "step 1":
            busy = busy_s() - busy
    run.passed()
    took = time.monotonic() - run.begun
    marks = [at[m] for m in ("run_started", "node starting", "step 1", "step 4")]
    parts = [after - before for before, after in zip(marks, marks[1:])]
    return took, [*parts, took - sum(parts), busy]


def profile(parts: list[float]) -> str:
    """The reason for the time that a fresh cluster takes."""
    made, booted, used, rest, busy = parts
    return (
        f"Where a fresh cluster's time goes: {made:.1f} s to network and containers, {booted:.1f} s until every broker "
        f"lists all others, {used:.1f} s for topic and message, {rest:.1f} s to begin and to remove everything. Until all "
        f"were listed the whole machine spent {busy:.1f} s of processor time in {made + booted:.1f} s on "
        f"{os.cpu_count()} cores."
    )


def measure() -> list[tuple[str, float, float, float]]:
    """One row: what, kplan's figure, the other's, the ratio."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(with_kplan())
        theirs.append(by_hand())
    ours_s, theirs_s = statistics.median(took for took, _ in ours), statistics.median(theirs)
    NOTES.append(profile(sorted(ours)[len(ours) // 2][1]))
    return [("fresh cluster to one message and gone, s, over by hand", ours_s, theirs_s, ours_s / theirs_s)]
