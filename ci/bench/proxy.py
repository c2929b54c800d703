"""Messages a second through the proxy that plans with `disturb_requests` put in front of their clients, and directly.

Rounds in turn: a plan whose clients connect through the proxy, then one whose clients connect directly; three brokers, a
topic of 3 partitions and 3 replicas, messages of 1 KB. A producer with acks=all sends them, then a consumer reads them.
Nothing is disturbed meanwhile: it is the cost of the way. The proxy is one process with both clients' messages, on the
same machine as brokers and clients.
"""

from common import SMALL, Run, in_turn, printed, timed

MESSAGES = 2_000 if SMALL else 200_000
ROUNDS = 1 if SMALL else 3


def plan(proxy: bool) -> str:
    text = f"""plan: v1
name: The cost of the proxy
timeout: 20m
steps:
  - start_cluster: {{ brokers: 3 }}
  - create_topic: {{ name: warm, partitions: 3, replicas: 3 }}
  - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}
  - start_producer: {{ name: W, topic: warm, rate: max, payload: 1KiB, acks: all, count: {MESSAGES} }}
  - wait: {{ until: [acked: {{ client: W, is: {MESSAGES} }}], within: 10m }}
  - name: begin_produced 0
    start_producer: {{ name: P, topic: orders, rate: max, payload: 1KiB, acks: all, count: {MESSAGES} }}
  - name: produced 0
    wait: {{ until: [acked: {{ client: P, is: {MESSAGES} }}], within: 10m }}
  - name: begin_consumed 0
    start_consumer: {{ name: C, topics: [orders], group: readers }}
  - name: consumed 0
    wait: {{ until: [delivered: {{ client: C, at_least: {MESSAGES} }}], within: 10m }}
"""
    if proxy:
        text += "  - disturb_requests: { api: Fetch, client: C, how: { delay: 1ms }, for: 1s }\n"
    return text + "  - stop_client: [W, P, C]\n  - assert: [lost: 0]\n"


def once(proxy: bool) -> tuple[float, float]:
    """Messages a second: sent, and read."""
    run = Run(plan(proxy))
    try:
        took = timed(run, {"produced": "begin_produced", "consumed": "begin_consumed"}, lambda *_: None)
    finally:
        run.process.terminate()
    return MESSAGES / took["produced"][0], MESSAGES / took["consumed"][0]


def measure() -> list[tuple[str, float, float, float]]:
    clients = ("producer", "consumer")
    rows = [f"{client} through the proxy of disturb_requests, messages/s, over directly" for client in clients]
    return in_turn(rows, once, ROUNDS)


if __name__ == "__main__":
    printed(measure())
