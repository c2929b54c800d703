"""Messages a second, 1 KB, acks=all, three brokers, a topic of 3 partitions and 3 replicas: with the library that plans
with `power_loss` load into their brokers, and without it.

Rounds in turn: a cluster with the library, then one without it. In each, a producer sends to a topic with Kafka's default
settings and then to one that flushes each message, after a round that warms the brokers' Java machines up. Without the
library a flush waits for the disk of this machine, with it for the copy that the library keeps: the ratio of flushed
messages is of this machine and its disk.
"""

from common import SMALL, Run, in_turn, printed, timed

MESSAGES = 2_000 if SMALL else 200_000
FLUSHED = 1_000 if SMALL else 50_000
ROUNDS = 1 if SMALL else 3


def plan(library: bool) -> str:
    text = """plan: v1
name: The cost of the library
timeout: 29m
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: { name: plain, partitions: 3, replicas: 3 }
  - create_topic: { name: flushed, partitions: 3, replicas: 3, config: { flush.messages: 1 } }
"""
    for i in (0, 1):
        for topic, letter, count in (("plain", "P", MESSAGES), ("flushed", "F", FLUSHED)):
            text += f"""  - name: begin_{topic} {i}
    start_producer: {{ name: {letter}{i}, topic: {topic}, rate: max, payload: 1KiB, acks: all, count: {count} }}
  - name: {topic} {i}
    wait:
      until:
        - acked: {{ client: {letter}{i}, is: {count} }}
      within: 10m
"""
    text += "  - stop_client: [P0, F0, P1, F1]\n  - assert: [lost: 0]\n"
    return text + ("  - power_loss: 1\n" if library else "")


def once(library: bool) -> tuple[float, float]:
    """Messages a second: to the plain topic, and to the one that flushes."""
    run = Run(plan(library))
    try:
        took = timed(run, {"plain": "begin_plain", "flushed": "begin_flushed"}, lambda *_: None)
    finally:
        run.process.terminate()
    return MESSAGES / took["plain"][1], FLUSHED / took["flushed"][1]


def measure() -> list[tuple[str, float, float, float]]:
    flushes = ("default flush", "flush.messages=1")
    rows = [f"brokers with the library of power_loss, {flush}, messages/s, over without" for flush in flushes]
    return in_turn(rows, once, ROUNDS)


if __name__ == "__main__":
    printed(measure())
