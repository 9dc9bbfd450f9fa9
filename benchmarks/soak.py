"""A crash loop: training killed again and again must end with the bits of one that was not."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fastdl.callbacks import checkpoint_files
from fastdl.files import read_arrays

CODE = """
import sys, numpy as np, fastdl
x = np.random.default_rng(0).standard_normal((20000, 20)).astype("f")
t = np.eye(2, dtype="f")[(x[:, 0] * x[:, 1] > 0).astype(int)]
network = fastdl.CTRPredictionNetwork(20, [64, 32], rng=np.random.default_rng(1))
fastdl.Trainer(network, fastdl.Adam(clip_norm=1.0)).train(
    x, t, x[:500], t[:500], 40, 32, rng=np.random.default_rng(2), verbose=False,
    callbacks=[fastdl.Checkpoint(sys.argv[1], every_steps=50)], resume=sys.argv[1])
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CODE, str(folder)])


def main() -> None:
    """Kill and resume ``--kills`` times, then compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    kills, moments = parser.parse_args().kills, random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        whole, cut = Path(temporary, "whole"), Path(temporary, "cut")
        assert start(whole).wait() == 0
        for i in range(kills):
            process = start(cut)
            time.sleep(0.6 + 1.5 * moments.random())
            process.kill()
            process.wait()
            files = checkpoint_files(cut)
            print(f"kill {i + 1}: newest checkpoint {files[-1].name if files else 'none'}")
        assert start(cut).wait() == 0
        (a, _), (b, _) = (read_arrays(checkpoint_files(f)[-1], "checkpoint") for f in (whole, cut))
    same = a.keys() == b.keys() and all(a[k].tobytes() == b[k].tobytes() for k in a)
    print("bits are equal" if same else "bits DIFFER")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
