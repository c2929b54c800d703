"""The runner's own processor time and memory while a plan waits: three brokers, a producer, a consumer."""

import os
import pathlib

from common import Run

WAIT_S = 30
PLAN = f"""plan: v1
name: Waiting
steps:
  - start_cluster: {{ brokers: 3 }}
  - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}
  - start_producer: {{ name: P, topic: orders, rate: 100/s }}
  - start_consumer: {{ name: C, topics: [orders] }}
  - name: the wait
    wait: {WAIT_S}s
  - stop_client: [P, C]
  - assert:
      - lost: 0
"""


def ticks(pid: int) -> int:
    """Processor time of a process, user and system, in clock ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def measure() -> list[tuple[str, float, float, float]]:
    """Two rows: what, the figure, the goal, their ratio."""
    run, wait, began, used, peak = Run(PLAN), None, 0, 0.0, 0
    pid = run.process.pid
    for event in run.events():
        if event["event"] == "suite_started":
            wait = next(s["id"] for s in event["steps"] if s["title"] == "the wait")
        elif event["event"] == "step_started" and event["step"] == wait:
            began = ticks(pid)
        elif event["event"] == "step_ended" and event["step"] == wait:
            used = (ticks(pid) - began) / os.sysconf("SC_CLK_TCK") / WAIT_S * 100
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            peak = int(next(l for l in status.splitlines() if l.startswith("VmHWM")).split()[1])
    run.passed()
    return [
        ("runner while waiting, % of a core, over the limit", used, 1.0, used),
        ("runner's resident memory at most, MiB, over the limit", peak / 1024, 40.0, peak / 1024 / 40),
    ]
