"""What the benchmarks share: a run of kplan whose events are read as they come, and kcat."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
KPLAN = pathlib.Path(os.environ.get("KPLAN_BENCH_BINARY", ROOT / "target" / "release" / "kplan"))
# The clients of the rdkafka crate, beside which kplan's own are measured.
WRAPPER = ROOT / "target" / "release" / "examples" / "wrapper"
# One round and few messages: shows that the bench works, its figures mean nothing.
SMALL = os.environ.get("KPLAN_BENCH_SMALL") == "1"
LIMIT_S = 1800


class Run:
    """One `kplan run` of a plan's text, in a directory of its own."""

    def __init__(self, plan: str, *words: str):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kplan-bench-"))
        path = self.dir / "plan.yaml"
        path.write_text(plan)
        self.out = self.dir / "run"
        self.talk = (self.dir / "talk.txt").open("w+")
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [KPLAN, "run", path, "--out", self.out, *words],
            stdout=self.talk, stderr=self.talk, cwd=self.dir,
        )

    def events(self):
        """Events as they come, until the run has ended."""
        path, position = self.out / "events.jsonl", 0
        while True:
            ended = self.process.poll() is not None
            if path.exists():
                with path.open("rb") as file:
                    file.seek(position)
                    for line in file:
                        if not line.endswith(b"\n"):
                            break
                        position += len(line)
                        yield json.loads(line)
            if ended:
                return
            if time.monotonic() - self.begun > LIMIT_S:
                self.process.terminate()
                raise SystemExit(f"bench: no end after {LIMIT_S} s: {self.dir}")
            time.sleep(0.02)

    def passed(self):
        """Ends the bench when the run did not pass: a figure of a broken run is none."""
        status = self.process.wait()
        if status != 0:
            self.talk.seek(0)
            raise SystemExit(f"bench: kplan run ended with {status}:\n{self.talk.read()}")


def timed(run: Run, pairs: dict[str, str], others) -> dict[str, list[float]]:
    """Seconds of each round, by the first word of a step's name: from the beginning of the step that `pairs` names for
    it, of the same round, to its own end. At the beginning of each step `others ROUND`, calls others(run's id, round)."""
    began, names, run_id = {}, {}, ""
    took: dict[str, list[float]] = {done: [] for done in pairs}
    for event in run.events():
        kind = event["event"]
        if kind == "run_started":
            run_id = event["run"]
        elif kind == "suite_started":
            names = {step["id"]: step["title"] for step in event["steps"]}
        elif kind == "step_started":
            name = names[event["step"]]
            began[name] = event["mono_us"]
            if name.startswith("others"):
                others(run_id, int(name.split()[1]))
        elif kind == "step_ended":
            done, _, number = names[event["step"]].partition(" ")
            if done in pairs:
                took[done].append((event["mono_us"] - began[f"{pairs[done]} {number}"]) / 1e6)
    run.passed()
    return took


def in_turn(rows: list[str], once, rounds: int) -> list[tuple[str, float, float, float]]:
    """Rows: what, with it, without it, the ratio. In each round `once(True)` and then `once(False)` give a figure for each of
    `rows`; the medians count."""
    figures = [(once(True), once(False)) for _ in range(rounds)]
    for ours, other in figures:
        print("round:", *(f"{a:,.0f}/{b:,.0f}" for a, b in zip(ours, other)), file=sys.stderr)
    made = []
    for at, what in enumerate(rows):
        ours, other = (statistics.median(pair[side][at] for pair in figures) for side in (0, 1))
        made.append((what, ours, other, ours / other))
    return made


def printed(rows):
    """Shows the rows of one case that was started alone."""
    for what, ours, other, ratio in rows:
        print(f"{what}: {ours:,.0f} / {other:,.0f} = {ratio:.2f}")


def bootstrap(run: str) -> str:
    """Where a run's brokers listen for clients on this machine: not the controllers' ports, which answer no client."""
    ports = subprocess.run(
        ["docker", "ps", "--filter", f"label=kplan.run={run}", "--format", "{{.Ports}}"],
        check=True, capture_output=True, text=True,
    ).stdout
    return ",".join(re.findall(r"(127\.0\.0\.1:\d+)->9094/", ports))


def container(run: str) -> str:
    """One of a run's nodes, to run Kafka's own tools in."""
    return subprocess.run(
        ["docker", "ps", "-q", "--filter", f"label=kplan.run={run}"],
        check=True, capture_output=True, text=True,
    ).stdout.split()[0]


def seconds(*command) -> float:
    """How long a command takes; it must succeed."""
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {command} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.monotonic() - begun


def busy_s() -> float:
    """Seconds of processor time that this machine has spent on anything."""
    user, nice, system, _, _, irq, softirq = map(int, open("/proc/stat").readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def threads_s(pid: int) -> dict[str, float]:
    """Seconds of processor time of a process by the names of its threads."""
    spent: dict[str, float] = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        user, system = fields.split()[11:13]
        spent[name] = spent.get(name, 0) + (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return spent


def wrapper(what: str, servers: str, topic: str, messages: int) -> float:
    """Messages a second of the rdkafka crate's producer or consumer, which only counts them."""
    done = subprocess.run([WRAPPER, what, servers, topic, str(messages)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {WRAPPER} {what}: {done.stdout}{done.stderr}")
    return float(done.stdout)
