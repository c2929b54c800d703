"""Watches the memory of a run: of the runner, of each client and of the audit's reader."""

import json
import os
import pathlib
import subprocess
import time
from dataclasses import dataclass, field

MIB = 1024


@dataclass
class Process:
    """One process of a run."""

    name: str
    # The most that it ever had resident, in KiB, as the kernel kept it.
    most: int = 0
    # Seconds since the run's begin and KiB resident then.
    resident: list = field(default_factory=list)


def status(pid: int) -> dict:
    """VmHWM and VmRSS in KiB; empty when the process is gone."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.startswith(("VmHWM", "VmRSS")))
    return {key: int(value.split()[0]) for key, value in pairs}


def clients(run: str) -> dict:
    """Process ids and names of the clients of a run."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if words[1:3] == ["client", "--run"] and words[3] == run:
            found[int(entry)] = words[words.index("--name") + 1]
    return found


def run_id(out: pathlib.Path) -> str | None:
    try:
        first = (out / "events.jsonl").read_text().split("\n", 1)[0]
        return json.loads(first).get("run")
    except (OSError, ValueError):
        return None


def run(kplan: pathlib.Path, plan: pathlib.Path, out: pathlib.Path, more: list, pause: float):
    """Runs a plan and watches it. Returns its exit status, its processes, and the events' length in
    bytes over time."""
    command = [str(kplan), "run", str(plan), "--out", str(out), "--quiet", *more]
    child = subprocess.Popen(command)
    processes, events, begun, run = {}, [], time.monotonic(), None
    while child.poll() is None:
        now = time.monotonic() - begun
        run = run or run_id(out)
        for pid, name in {child.pid: "runner", **(clients(run) if run else {})}.items():
            seen = status(pid)
            if not seen.get("VmRSS"):
                continue
            process = processes.setdefault(pid, Process(name))
            process.most = max(process.most, seen["VmHWM"])
            process.resident.append((now, seen["VmRSS"]))
        try:
            events.append((now, (out / "events.jsonl").stat().st_size))
        except OSError:
            pass
        time.sleep(pause)
    return child.returncode, list(processes.values()), events


def slope(points: list) -> float:
    """Least squares: how much the second number grows for each of the first."""
    count = len(points)
    if count < 2:
        return 0.0
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
