"""Import time, and the first training step from an empty and from a warm kernel cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from common import main

IMPORT = "import fastdl"
STEP = """
import numpy as np, fastdl
network, optimizer = fastdl.CTRPredictionNetwork(39, [64, 32]), fastdl.Adam()
x = np.random.randn(32, 39).astype("f"); t = np.eye(2, dtype="f")[np.arange(32) % 2]
optimizer.update(network.parameters(), network.gradient(x, t))
"""
TRAINER = """
import numpy as np, fastdl
x = np.random.randn(320, 39).astype("f"); t = np.eye(2, dtype="f")[np.arange(320) % 2]
trainer = fastdl.Trainer(fastdl.CTRPredictionNetwork(39, [64, 32]), fastdl.Adam())
trainer.train(x, t, x, t, 1, 32, verbose=False)
"""


def seconds(code: str, cache: str) -> float:
    """Wall time of a fresh process, less that of an empty one's start."""
    environment = {**os.environ, "FASTDL_CACHE_DIR": cache}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    return time.perf_counter() - start


def suite(quick: bool) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        bare = float(np.median([seconds("pass", cache) for _ in range(5)]))
        plans = [("import fastdl", IMPORT, 5, "0.6 s")]
        if not quick:
            plans += [
                ("first gradient + update of the CTR network, empty cache", STEP, 1, "15 s"),
                ("the same in a later process", STEP, 5, "1 s"),
                ("first epoch of the Trainer, cache with the above", TRAINER, 1, "-"),
                ("the same in a later process", TRAINER, 5, "1 s"),
            ]
        for name, code, times, target in plans:
            found = [seconds(code, cache) - bare for _ in range(times)]
            low, middle, high = np.percentile(found, [25, 50, 75])
            rows.append({"name": name, "seconds": float(middle), "target": target, "ratios": {},
                         "spread": float((high - low) / 2 / middle)})  # fmt: skip
    return rows


if __name__ == "__main__":
    main(suite, "Start (whole processes, less Python's own start)")
