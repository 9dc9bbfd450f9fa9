"""Training that is killed with SIGKILL at random moments and resumed ends bit-identical."""

from __future__ import annotations

import random
import runpy
import signal
import subprocess
import sys
import time

import pytest

from fastdl.callbacks import checkpoint_files
from fastdl.files import read_arrays

SCRIPT = """
import sys
import numpy as np
import fastdl
from fastdl import schedules

folder, kind = sys.argv[1:]
rng = np.random.default_rng(0)
x = rng.standard_normal((2000, 6))
t = np.eye(2)[(x[:, 0] * x[:, 1] > 0).astype(int)]
np.random.seed(1)
if kind == "fused":
    network = fastdl.CTRPredictionNetwork(6, [16], dtype="float64")
else:
    network = fastdl.Sequential(
        fastdl.Dense(6, 16, dtype="float64"), fastdl.BatchNormalization(dtype="float64"),
        fastdl.ReLU(), fastdl.Dropout(0.1), fastdl.Dense(16, 2, dtype="float64"),
    )
if kind in ("lazy", "exact"):  # tables whose untouched rows have missed steps at every checkpoint
    spec = fastdl.FeatureSpec(numeric=6, fields=[50, 3000])
    ids = np.minimum(rng.zipf(1.3, (2000, 2)) - 1, [49, 2999])
    x = spec.batch({"numeric": x, "ids": ids}, np.dtype("float64"))
    t = ((t[:, 1] + ids[:, 0]) % 2).astype(float)
    network = fastdl.DeepFM(spec, 4, (8,), dropout=0.1, dtype="float64",
                            embedding_l2=1e-4 if kind == "exact" else 0.0)
optimizer = fastdl.Adam(schedules.CosineDecay(0.01, 1000), clip_norm=1.0)
callbacks = [fastdl.EarlyStopping(patience=50), fastdl.Checkpoint(folder, every_steps=7)]
trainer = fastdl.Trainer(network, optimizer)
trainer.train(x[:1600], t[:1600], x[1600:], t[1600:], 6, 20, callbacks=callbacks, verbose=False,
              resume=folder)
"""


def start(script, folder, kind):
    return subprocess.Popen([sys.executable, str(script), str(folder), kind])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("kind", ["fused", "layered", "lazy", "exact"])
def test_killed_and_resumed_training_has_equal_bits(kind, tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    def finish(folder):  # what nothing kills need not be a process of its own
        monkeypatch.setattr(sys, "argv", [str(script), str(folder), kind])
        runpy.run_path(str(script))

    finish(tmp_path / "whole")
    expected, known = read_arrays(checkpoint_files(tmp_path / "whole")[-1], "checkpoint")

    moments, cut, kills = random.Random(3), tmp_path / "cut", 0
    for _ in range(2):
        process = start(script, cut, kind)
        before = len(checkpoint_files(cut)) and checkpoint_files(cut)[-1].name
        deadline = time.monotonic() + 60
        # it must get somewhere before it is killed, or the test would show nothing
        while process.poll() is None and time.monotonic() < deadline:
            files = checkpoint_files(cut)
            if files and files[-1].name != before:
                break
            time.sleep(0.002)
        time.sleep(moments.random() * 0.15)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills >= 1
    finish(cut)

    found, mine = read_arrays(checkpoint_files(cut)[-1], "checkpoint")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].tobytes() == array.tobytes(), name
    for entry in ("progress", "optimizers", "random", "callbacks"):
        assert mine[entry] == known[entry]
    assert not list(cut.glob(".*.tmp"))
