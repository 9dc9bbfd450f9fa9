"""With the JIT off, recurrent kernels as plain Python give what their twins give."""

from __future__ import annotations

from commands import without_jit

CODE = """
import warnings
import numpy as np, fastdl
from fastdl.kernels import jit
assert not jit.numba_is_compiling()
warnings.simplefilter("ignore")  # NumPy's scalars warn where compiled code is silent
x = np.random.default_rng(0).standard_normal((2, 3, 2))
KINDS = ((fastdl.RNN, {}), (fastdl.RNN, {"activation": "relu"}), (fastdl.LSTM, {}),
         (fastdl.GRU, {}), (fastdl.GRU, {"reset_after": False}))

def run(backend):
    results = []
    with fastdl.use_backend(backend):
        for kind, options in KINDS:
            layer = kind(2, 3, dtype="float64", rng=np.random.default_rng(1), **options)
            out = layer.forward(x, [3, 1])
            results += [out, layer.backward(out + 1), layer.dW, layer.dU, layer.db]
    return results

for a, b in zip(run("numba"), run("numpy"), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
print("equal")
"""


def test_recurrent_kernels_as_plain_python():
    done = without_jit(CODE)
    assert done.stdout.strip() == "equal", done.stderr
