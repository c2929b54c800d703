"""Messages a second, read: 100 bytes each, from three brokers and a topic of 3 partitions and 3 replicas.

One cluster, rounds in turn: the audit reads and judges the log, a consumer (a group of one, every
delivery recorded and committed) reads it, then `kcat -C`, Kafka's own tool and the consumer of the rdkafka crate (which
only counts: runner/examples/wrapper.rs) do. One given message
before each round makes the audit read again. Times of kplan are those of whole steps, from their
begin: processes, contact, the wait for readiness and the judgement are in them. Kafka's tool tells
how fast it fetches, without its start and its group; beside it the consumer counts from its assignment.
"""

import os
import statistics
import subprocess
import sys

import watched
from common import SMALL, Run, bootstrap, busy_s, container, seconds, threads_s, wrapper

MESSAGES = 20_000 if SMALL else 6_000_000
PAUSE_S = 50
ROUNDS = 1 if SMALL else 3
# What is said below the table.
NOTES: list[str] = []


def plan() -> str:
    text = f"""plan: v1
name: Reading speed
timeout: 29m
steps:
  - start_cluster: {{ brokers: 3 }}
  - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}
  - start_producer: {{ name: P, topic: orders, rate: max, payload: 100B, count: {MESSAGES} }}
  - wait:
      until:
        - acked: {{ client: P, is: {MESSAGES} }}
      within: 10m
  - stop_client: P
"""
    # Round 0 warms the brokers' Java machines up, for all alike; it does not count.
    for i in range(ROUNDS + 1):
        text += f"""  - produce: {{ topic: orders, messages: [{{ value: "round {i}" }}] }}
  - name: audit {i}
    assert:
      - lost: 0
      - corrupted: 0
  - name: consume {i}
    start_consumer: {{ name: C{i}, topics: [orders] }}
  - name: consumed {i}
    wait:
      until:
        - delivered: {{ client: C{i}, at_least: {MESSAGES} }}
      within: 10m
  - stop_client: C{i}
  - name: others {i}
    wait: {PAUSE_S}s
"""
    return text


def perf_test(run: str) -> float:
    """Messages a second of kafka-consumer-perf-test.sh while it fetches, without its start and join."""
    done = subprocess.run(
        ["docker", "exec", container(run), "/opt/kafka/bin/kafka-consumer-perf-test.sh",
         "--bootstrap-server", "localhost:9092", "--topic", "orders", "--messages", str(MESSAGES)],
        capture_output=True, text=True,
    )
    lines = done.stdout.splitlines()
    heads = next((l for l in lines if "fetch.nMsg.sec" in l), None)
    if heads is None:
        raise SystemExit(f"bench: kafka-consumer-perf-test.sh: {done.stdout[-500:]}{done.stderr[-1500:]}")
    column = [h.strip() for h in heads.split(",")].index("fetch.nMsg.sec")
    return float(lines[lines.index(heads) + 1].split(",")[column])


def profile(run: str, audit: tuple[float, float], consumer: tuple[float, float]) -> str:
    """Where the last round's time went; each pair is seconds on the clock and of the whole machine's processors."""
    name = f"C{ROUNDS}"
    spent = threads_s(next(pid for pid, client in watched.clients(run).items() if client == name))
    library = sum(s for thread, s in spent.items() if thread.startswith("rdk:"))
    own = sum(spent.values()) - library
    return (
        f"Where a reader's time goes: the audit took {audit[0]:.1f} s, in which the whole machine spent {audit[1]:.1f} s of "
        f"processor time on {os.cpu_count()} cores, the brokers' share included; the consumer {consumer[0]:.1f} s and "
        f"{consumer[1]:.1f} s, of which {library:.1f} s were librdkafka's threads (fetching and unpacking) and {own:.1f} s "
        f"kplan's (each message checked against its identity and recorded). Kafka's tool counts messages and looks at none."
    )


def measure() -> list[tuple[str, float, float, float]]:
    """Rows: what, kplan's figure, the other's, the ratio."""
    audits, consumers, fetches, kcats, perfs, wrappers = [], [], [], [], [], []
    began, busy, spans, names, run_id, assigned_us = {}, {}, {}, {}, "", 0
    run = Run(plan())
    try:
        for event in run.events():
            kind = event["event"]
            if kind == "run_started":
                run_id = event["run"]
            elif kind == "suite_started":
                names = {s["id"]: s["title"] for s in event["steps"]}
            elif kind == "report" and event["who"].startswith("C") and ": assigned " in event["text"]:
                assigned_us = event["mono_us"]
            elif kind == "step_started":
                name = names[event["step"]]
                began[name], busy[name] = event["mono_us"], busy_s()
                if name.startswith("others"):
                    kcats.append(MESSAGES / seconds("kcat", "-C", "-b", bootstrap(run_id), "-t", "orders",
                                                    "-o", "beginning", "-e", "-q", "-f", ""))
                    perfs.append(perf_test(run_id))
                    wrappers.append(wrapper("consume", bootstrap(run_id), "orders", MESSAGES))
            elif kind == "step_ended":
                name = names[event["step"]]
                rate = lambda since_us: MESSAGES / ((event["mono_us"] - since_us) / 1e6)
                since = name.replace("consumed", "consume")
                spans[name] = ((event["mono_us"] - began[since]) / 1e6, busy_s() - busy[since])
                if name.startswith("audit"):
                    audits.append(rate(began[name]))
                elif name.startswith("consumed"):
                    consumers.append(rate(began[since]))
                    fetches.append(rate(assigned_us))
                    if name == f"consumed {ROUNDS}":
                        NOTES.append(profile(run_id, spans[f"audit {ROUNDS}"], spans[name]))
        run.passed()
    finally:
        run.process.terminate()
    rounds = zip(audits, consumers, fetches, kcats, perfs, wrappers)
    print("rounds (audit/consumer/its fetching/kcat/perf-test/rdkafka crate):", *("/".join(f"{n:,.0f}" for n in r) for r in rounds),
          file=sys.stderr)
    audit, consumer, fetch, kcat, perf, crate = (
        statistics.median(all_[1:]) for all_ in (audits, consumers, fetches, kcats, perfs, wrappers))
    return [
        ("audit, messages/s, over kcat -C", audit, kcat, audit / kcat),
        ("audit, messages/s, over kafka-consumer-perf-test", audit, perf, audit / perf),
        ("consumer, messages/s, over kcat -C", consumer, kcat, consumer / kcat),
        ("consumer fetching, messages/s, over kafka-consumer-perf-test", fetch, perf, fetch / perf),
        ("audit, messages/s, over the rdkafka crate's consumer", audit, crate, audit / crate),
    ]


if __name__ == "__main__":
    for what, ours, other, ratio in measure():
        print(f"{what}: {ours:,.0f} / {other:,.0f} = {ratio:.2f}")
