"""Peak memory of training over what weights, optimizer state, a batch and the data need."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from common import main

CODE = """
import json, resource, sys
import numpy as np, fastdl

rows, inputs, hidden, batch = json.loads(sys.argv[1])
fastdl.warmup()
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
# not getrusage: its peak is inherited from the process that started this one
status = lambda: dict(line.split(":") for line in open("/proc/self/status"))
peak = lambda: int(status()["VmHWM"].split()[0]) * 1024
before = resident()
rng = np.random.default_rng(0)
x = rng.standard_normal((rows, inputs), dtype=np.float32)
t = np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(np.int8)]
network = fastdl.CTRPredictionNetwork(inputs, hidden)
trainer = fastdl.Trainer(network, fastdl.Adam())
trainer.train(x, t, epochs=1, batch_size=batch, verbose=False, loss_at="before")
weights = network.store().flat.nbytes
activations = batch * (sum(hidden) + 2) * 4
need = x.nbytes + t.nbytes + 4 * weights + activations
print(json.dumps({"used": peak() - before, "need": need}))
"""


def suite(quick: bool) -> list[dict[str, Any]]:
    rows = []
    plans = [(100_000, 39, [64, 32], 256), (400_000, 100, [400, 400, 400], 4096)]
    for plan in plans[:1] if quick else plans:
        done = subprocess.run([sys.executable, "-c", CODE, json.dumps(plan)], check=True,
                              capture_output=True, text=True)  # fmt: skip
        found = json.loads(done.stdout)
        used, need = found["used"], found["need"]
        sizes = f"{plan[1]}-{'-'.join(map(str, plan[2]))}-2, batch {plan[3]}, {plan[0]:,} rows"
        name = f"{sizes}: {used / 2**20:.0f} of {need / 2**20:.0f} MiB"
        rows.append({"name": name, "ratios": {"memory used": used / need}, "target": "1.2"})
    return rows


if __name__ == "__main__":
    main(suite, "Memory (weights, gradients, Adam's two states, one batch of activations, data)")
