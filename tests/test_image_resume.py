"""Training on images that is killed with SIGKILL and resumed ends bit-identical."""

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
from pathlib import Path
import numpy as np
from fastdl.callbacks import Checkpoint
from fastdl.vision.job import ImageJob
from fastdl.vision.pipeline import train_images

np.random.seed(1)
folder = Path(sys.argv[1])
job = ImageJob(rows=160, size=24, epochs=5, batch_size=8, augment="standard", mixup=0.2, patience=3,
               class_weight="balanced", model_options={"widths": [4]}, pictures=0)
often = Checkpoint(folder / "checkpoints", every_steps=3)
train_images(job, folder, resume=folder.exists(), verbose=False, callbacks=[often])
"""


@pytest.mark.usefixtures("no_report")
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_and_resumed_training_has_equal_bits(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)

    def start(folder):
        return subprocess.Popen([sys.executable, str(script), str(folder)])

    def finish(folder):  # what nothing kills need not be a process of its own
        monkeypatch.setattr(sys, "argv", [str(script), str(folder)])
        runpy.run_path(str(script))

    finish(tmp_path / "whole")
    moments, cut, kills = random.Random(3), tmp_path / "cut", 0
    for _ in range(2):
        process = start(cut)
        files = cut / "checkpoints"
        before = checkpoint_files(files)[-1:] if files.exists() else []
        deadline = time.monotonic() + 120
        # it must get somewhere before it is killed, or the test would show nothing
        while process.poll() is None and time.monotonic() < deadline:
            if files.exists() and checkpoint_files(files)[-1:] != before:
                break
            time.sleep(0.002)
        time.sleep(moments.random() * 0.05)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills
    finish(cut)
    assert (cut / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
    last = [checkpoint_files(tmp_path / name / "checkpoints")[-1] for name in ("whole", "cut")]
    whole, other = (read_arrays(path, "checkpoint")[0] for path in last)
    assert whole.keys() == other.keys()
    for name, array in whole.items():
        assert other[name].tobytes() == array.tobytes(), name
