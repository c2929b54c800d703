"""Messages a second of a client of another library (franz-go, clients/franz-go), as producer and as consumer.

One cluster, rounds in turn: a plan starts the client, takes in the line that it prints for each message, and keeps the
full accounting; while the plan then waits, the same producer works alone, and its lines go nowhere.
"""

import statistics
import sys

from common import ROOT, SMALL, Run, bootstrap, seconds, timed

CLIENT = ROOT / "target" / "clients" / "franz-go" / "client"
MESSAGES = 20_000 if SMALL else 500_000
# What a client of another library must at least be judged at.
LIMIT = 50_000
PAUSE_S = 45
ROUNDS = 1 if SMALL else 3


def plan() -> str:
    text = f"""plan: v1
name: Speed of a client of another library
timeout: 29m
clients: {{ go: {{ command: [{CLIENT}] }} }}
steps:
  - start_cluster: {{ brokers: 3 }}
"""
    # Round 0 warms the brokers' Java machines up; it does not count.
    for i in range(0, ROUNDS + 1):
        text += f"""  - create_topic: {{ name: own{i}, partitions: 3, replicas: 3 }}
  - create_topic: {{ name: alone{i}, partitions: 3, replicas: 3 }}
  - name: send {i}
    start_producer: {{ name: P{i}, client: go, topic: own{i}, rate: max, count: {MESSAGES} }}
  - name: sent {i}
    wait: {{ until: [acked: {{ client: P{i}, is: {MESSAGES} }}], within: 5m }}
  - name: read {i}
    start_consumer: {{ name: C{i}, client: go, topics: [own{i}] }}
  - name: done {i}
    wait: {{ until: [delivered: {{ client: C{i}, is: {MESSAGES} }}], within: 5m }}
  - stop_client: [P{i}, C{i}]
  - name: others {i}
    wait: {PAUSE_S}s
"""
    return text + "  - assert: [lost: 0, undelivered: 0]\n"


def alone(servers: str, i: int) -> float:
    """Messages a second of the producer without kplan."""
    return MESSAGES / seconds(
        "sh", "-c", '"$@" >/dev/null', "sh", CLIENT, "producer", "--topic", f"alone{i}", "--bootstrap-server", servers,
        "--max-messages", str(MESSAGES), "--throughput", "-1", "--acks", "-1", "--value-prefix", "1000000000")


def measure() -> list[tuple[str, float, float, float]]:
    """Rows: what, the figure with kplan, the figure without, the ratio."""
    if not CLIENT.exists():
        raise SystemExit("bench: franz-go is missing: run ci/clients franz-go")
    others = []
    run = Run(plan(), "--allow-run")
    try:
        took = timed(run, {"sent": "send", "done": "read"},
                     lambda run_id, i: others.append(alone(bootstrap(run_id), i)))
    finally:
        run.process.terminate()
    sent, read = ([MESSAGES / s for s in took[done]] for done in ("sent", "done"))
    print("rounds:", *(f"{a:,.0f}/{b:,.0f} {c:,.0f}" for a, b, c in zip(sent, others, read)), file=sys.stderr)
    sent_s, other_s, read_s = (statistics.median(rates[1:]) for rates in (sent, others, read))
    return [
        ("producer of another library (franz-go), messages/s, over the same alone", sent_s, other_s, sent_s / other_s),
        ("producer of another library (franz-go), messages/s, over the limit", sent_s, LIMIT, sent_s / LIMIT),
        ("consumer of another library (franz-go), messages/s, over the limit", read_s, LIMIT, read_s / LIMIT),
    ]


if __name__ == "__main__":
    for what, ours, other, ratio in measure():
        print(f"{what}: {ours:,.0f} / {other:,.0f} = {ratio:.2f}")
