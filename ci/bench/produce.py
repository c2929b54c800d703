"""Messages a second, 100 bytes, acks=all, three brokers, a topic of 3 partitions and 3 replicas.

One cluster, rounds in turn: a plan sends a million messages as fast as it can, with kplan's full
accounting; while the plan then waits, kcat, Kafka's own tool and the producer of the rdkafka crate (which only
counts acknowledgements: runner/examples/wrapper.rs) send as many to another topic. In the same rounds another producer
of kplan sends as many messages that the plan writes (`value`, JSON with four slots).
"""

import pathlib
import statistics
import subprocess
import sys

from common import SMALL, Run, bootstrap, container, seconds, timed, wrapper

MESSAGES = 20_000 if SMALL else 1_000_000
PAUSE_S = 40
ROUNDS = 1 if SMALL else 3
# About 90 bytes, of which the identity is 34 to 40.
VALUE = ('{"order":"{{ message.id }}","n":{{ message.number }},"amount":{{ message.random(100, 999) }},'
         '"partition":{{ message.partition }}}')


def plan() -> str:
    text = """plan: v1
name: Producer speed
timeout: 29m
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: { name: orders, partitions: 3, replicas: 3 }
  - create_topic: { name: others, partitions: 3, replicas: 3 }
  - create_topic: { name: written, partitions: 3, replicas: 3 }
"""
    # Round 0 warms the brokers' Java machines up, for all three alike; it does not count.
    for i in range(0, ROUNDS + 1):
        text += f"""  - name: send {i}
    start_producer: {{ name: P{i}, topic: orders, rate: max, payload: 100B, count: {MESSAGES} }}
  - name: sent {i}
    wait:
      until:
        - acked: {{ client: P{i}, is: {MESSAGES} }}
      within: 5m
  - name: write {i}
    start_producer: {{ name: W{i}, topic: written, rate: max, value: '{VALUE}', count: {MESSAGES} }}
  - name: written {i}
    wait:
      until:
        - acked: {{ client: W{i}, is: {MESSAGES} }}
      within: 5m
  - name: others {i}
    wait: {PAUSE_S}s
"""
    names = ", ".join(f"P{i}, W{i}" for i in range(ROUNDS + 1))
    return text + f"""  - stop_client: [{names}]
  - assert:
      - lost: 0
      - corrupted: 0
"""


def perf_test(servers: str, run: str) -> float:
    """Messages a second of kafka-producer-perf-test.sh, with its defaults and acks=all."""
    done = subprocess.run(
        ["docker", "exec", container(run), "/opt/kafka/bin/kafka-producer-perf-test.sh", "--topic", "others",
         "--num-records", "300000", "--record-size", "100", "--throughput", "-1",
         "--producer-props", "acks=all", f"bootstrap.servers={servers}"],
        capture_output=True, text=True,
    )
    rates = [l for l in done.stdout.splitlines() if "records/sec" in l]
    if not rates:
        raise SystemExit(f"bench: kafka-producer-perf-test.sh: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return float(rates[-1].split("records/sec")[0].split(",")[1])


def measure() -> list[tuple[str, float, float, float]]:
    """Rows: what, kplan's figure, the other's, the ratio."""
    lines = pathlib.Path("/tmp") / f"kplan-bench-{id(object())}.txt"
    lines.write_text(("x" * 99 + "\n") * MESSAGES)
    kcats, perfs, wrappers = [], [], []

    def others(run_id: str, _: int) -> None:
        servers = bootstrap(run_id)
        kcats.append(MESSAGES / seconds(
            "kcat", "-P", "-b", servers, "-t", "others", "-X", "acks=all", "-l", lines))
        perfs.append(perf_test("localhost:9092", run_id))
        wrappers.append(wrapper("produce", servers, "others", MESSAGES))

    run = Run(plan())
    try:
        took = timed(run, {"sent": "send", "written": "write"}, others)
    finally:
        lines.unlink()
        run.process.terminate()
    ours, written = ([MESSAGES / s for s in took[done]] for done in ("sent", "written"))
    print("rounds:", *(f"{a:,.0f}/{b:,.0f}" for a, b in zip(ours, kcats)), file=sys.stderr)
    all_rates = (ours, written, kcats, perfs, wrappers)
    ours_s, written_s, kcat_s, perf_s, wrapper_s = (statistics.median(rates[1:]) for rates in all_rates)
    return [
        ("producer, messages/s, over kcat -P", ours_s, kcat_s, ours_s / kcat_s),
        ("producer, messages/s, over kafka-producer-perf-test", ours_s, perf_s, ours_s / perf_s),
        ("producer, messages/s, over the rdkafka crate's", ours_s, wrapper_s, ours_s / wrapper_s),
        ("producer with `value`, messages/s, over kplan's own payload", written_s, ours_s, written_s / ours_s),
    ]


if __name__ == "__main__":
    for what, ours, other, ratio in measure():
        print(f"{what}: {ours:,.0f} / {other:,.0f} = {ratio:.2f}")
