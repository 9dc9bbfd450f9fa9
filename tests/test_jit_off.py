"""Once with the JIT off: kernels as plain Python give what their twins give."""

from __future__ import annotations

from commands import without_jit

CODE = """
import warnings
import numpy as np, fastdl
from fastdl.kernels import jit
from fastdl.adversarial.augment import DifferentiableAugmentation
from fastdl.layers import convolution_products
assert not jit.numba_is_compiling()
warnings.simplefilter("ignore")  # NumPy's scalars warn where compiled code is silent
x = np.random.default_rng(0).standard_normal((6, 3))
t = np.eye(2)[[0, 1, 0, 1, 1, 0]]
images = np.random.default_rng(3).standard_normal((2, 3, 5, 6))

def run(backend):
    results = []
    with fastdl.use_backend(backend):
        for activation in (fastdl.ReLU, fastdl.Sigmoid, fastdl.Tanh, fastdl.GELU):
            rng = np.random.default_rng(1)
            network = fastdl.Sequential(
                fastdl.Dense(3, 4, dtype="float64", rng=rng), activation(),
                fastdl.Dense(4, 2, dtype="float64", rng=rng))
            trainer = fastdl.Trainer(network, fastdl.Adam(clip_norm=0.1))
            trainer.train(x, t, x, t, 1, 2, rng=rng, verbose=False)
            results += [trainer.loss_history, network.store().flat]
        layers = [fastdl.BatchNormalization(dtype="float64"), fastdl.LayerNorm(dtype="float64"),
                  fastdl.Dropout(0.5, rng=np.random.default_rng(2))]
        for layer in layers:
            results += [layer.forward(x), layer.backward(x)]
        for way, kernel_size, groups, stride in (
            ("direct", (2, 3), 1, 1), ("direct", (2, 3), 3, 1), ("depthwise", 3, 3, 1),
            ("depthwise", 3, 3, 2), ("winograd 2x2", 3, 1, 1), ("winograd 4x4", 3, 1, 1)):
            tile = int(way[-1]) if way.startswith("winograd") else 0
            convolution_products.winograd_tile = lambda *sizes, tile=tile: tile
            layer = fastdl.Conv2D(3, 3, kernel_size, stride, 1, groups=groups, activation="relu",
                                  dtype="float64", rng=np.random.default_rng(4))
            out = layer.forward(images)
            results += [out, layer.backward(out + 1), layer.dW, layer.db]
            assert layer.algorithms["forward"] == way
        layer = fastdl.Conv2D(1, 3, 3, 2, dtype="float64", rng=np.random.default_rng(4))
        out = layer.forward(images[:, :1])
        results += [out, layer.backward(out + 1), layer.dW, layer.db]
        assert layer.algorithms["backward data"] == "columns"
        layer = fastdl.ConvTranspose2D(3, 2, 4, 2, 1, dtype="float64", rng=np.random.default_rng(4))
        out = fastdl.SpectralNormalization(layer, rng=np.random.default_rng(5)).forward(images)
        results += [out, layer.backward(out + 1), layer.dW, layer.db]
        layer = fastdl.ConditionalBatchNormalization(3, 2, activation="relu", dtype="float64")
        out = layer.forward(images, [1, 0])
        results += [out, layer.backward(images), layer.dgamma, layer.dbeta]
        col = fastdl.im2col(images, 2, 3, 2, 1)
        results += [col, fastdl.col2im(col, images.shape, 2, 3, 2, 1)]
        augment = DifferentiableAugmentation.preset("photographs")
        draws = augment.draw(np.random.default_rng(5), 2, 5, 6)
        results += [augment.forward(images, draws), augment.backward(images, draws)]
        results += [fastdl.matmul(x, x.T), *fastdl.matmul_backward(x, x.T, x @ x.T)]
    return results

for a, b in zip(run("numba"), run("numpy"), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
print("equal")
"""


def test_kernels_as_plain_python():
    done = without_jit(CODE)
    assert done.stdout.strip() == "equal", done.stderr
