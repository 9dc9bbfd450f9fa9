"""Peak memory of training steps of image networks, beside channels-last PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from common import main, torch_or_none

# One process a side. A first step of two images loads kernels and libraries; then the network, its
# batch and whatever steps need are made, and their peak is told.
CODE = """
import gc, json, sys
name, side, steps = json.loads(sys.argv[1])
import images
from common import threads

def status(field):
    lines = dict(line.split(":") for line in open("/proc/self/status"))
    return int(lines[field].split()[0]) * 1024

def step_of(shape):
    x, t = images.data(shape)
    return make_step(make(), x, t)

make, shape, _ = images.NETWORKS[name]
make_step = images.our_step
if side == "PyTorch":
    make_step = lambda *arguments: images.torch_step(*arguments, "eager")
with threads(2):
    step_of((2, *shape[1:]))()
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
    before = status("VmRSS")
    step = step_of(shape)
    for _ in range(steps):
        step()
    print(json.dumps({"used": status("VmHWM") - before, "before": before}))
"""


def used(name: str, side: str, steps: int) -> int:
    """Bytes that training steps need at their peak, above those of the process before them."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([name, side, steps])], check=True,
        capture_output=True, text=True, cwd=Path(__file__).parent,
    )  # fmt: skip
    return int(json.loads(done.stdout)["used"])


def suite(quick: bool) -> list[dict[str, Any]]:
    from images import NETWORKS

    rows = []
    for name in list(NETWORKS)[: 1 if quick else None]:
        ours = used(name, "fastdl", 3)
        told, ratios = f"{name}: {ours / 2**20:.0f} MiB", {}
        if torch_or_none() is not None:
            theirs = used(name, "PyTorch", 3)
            told += f", PyTorch {theirs / 2**20:.0f}"
            ratios["memory beside PyTorch's"] = ours / theirs
        rows.append({"name": told, "ratios": ratios, "target": "1"})
    return rows


if __name__ == "__main__":
    main(suite, "Peak memory of image networks' training steps (a ratio below 1: fastdl's is less)")
