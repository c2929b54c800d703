"""The plans of the post-mortem, side by side (`--jobs auto`) over one after the other (`--jobs 1`)."""

import pathlib
import subprocess
import tempfile
import time

from common import KPLAN, ROOT

PLANS = ["outage", "broker-restart", "client-restart", "listeners", "single-replica"]


def took(jobs: str) -> float:
    """Seconds of the whole run; all plans must pass."""
    out = pathlib.Path(tempfile.mkdtemp(prefix="kplan-bench-")) / "run"
    plans = [ROOT / "plans" / f"{name}.yaml" for name in PLANS]
    begun = time.monotonic()
    done = subprocess.run([KPLAN, "run", *plans, "--jobs", jobs, "--out", out],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: --jobs {jobs} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return time.monotonic() - begun


def measure() -> list[tuple[str, float, float, float]]:
    """One row: what, side by side, one after the other, the ratio."""
    one = took("1")
    auto = took("auto")
    return [("post-mortem suite with --jobs auto, s, over the sum of its plans", auto, one, auto / one)]
