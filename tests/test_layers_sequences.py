"""TimeDistributed, Conv1D and attention over time."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check

import fastdl

F64 = {"dtype": "float64"}


# ---------------------------------------------------------------------------- TimeDistributed
def test_time_distributed_is_the_layer_of_all_steps(rng):
    inner = fastdl.Dense(3, 2, rng=rng)
    layer, x = fastdl.TimeDistributed(inner), rng.standard_normal((4, 5, 3)).astype("f")
    out = layer.forward(x)
    np.testing.assert_array_equal(out.reshape(20, 2), inner.forward(x.reshape(20, 3)))
    dout = rng.standard_normal(out.shape).astype("f")
    dx = layer.backward(dout)
    inner.forward(x.reshape(20, 3))
    np.testing.assert_array_equal(dx.reshape(20, 3), inner.backward(dout.reshape(20, 2)))
    np.testing.assert_array_equal(layer.dW, inner.dW)


def test_time_distributed_in_a_network(tmp_path, rng):
    """Shared parameters train, and save with the inner layer's states."""
    net = fastdl.Sequential(
        fastdl.TimeDistributed(fastdl.Dense(3, 4, rng=rng)),
        fastdl.TimeDistributed(fastdl.BatchNormalization()),
        fastdl.GRU(4, 3, return_sequences=False, rng=rng),
        fastdl.Dense(3, 2, rng=rng),
    )
    x, t = rng.standard_normal((6, 5, 3)).astype("f"), np.eye(2)[[0, 1, 1, 0, 1, 0]]
    optimizer, losses = fastdl.Adam(0.03), []
    net.predict(x)  # gamma and beta exist from the first forward on
    for _ in range(20):
        optimizer.update(net.parameters(), net.gradient(x, t))
        losses.append(net.latest_loss)
    assert losses[-1] < 0.5 * losses[0]
    assert net.layers[0].W is net.layers[0].layer.W is net.parameters()["W0"]
    assert net.layers[1].gamma is net.layers[1].layer.gamma
    net.save(tmp_path / "net.safetensors")
    again = fastdl.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.eval().predict(x), net.eval().predict(x))


def test_time_distributed_wrong_input():
    with pytest.raises(TypeError, match="expected a fastdl layer"):
        fastdl.TimeDistributed(np.tanh)
    layer = fastdl.TimeDistributed(fastdl.Dense(3, 2))
    with pytest.raises(ValueError, match="before forward"):
        layer.backward(np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match=r"\(5, 3\); expected \(B, T"):
        layer.forward(np.ones((5, 3)))
    layer.forward(np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match=r"dout of shape \(2, 4, 2\)"):
        layer.backward(np.ones((2, 4, 2)))


# ---------------------------------------------------------------------------- Conv1D
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize(("T", "k", "dilation"), [(9, 1, 1), (9, 3, 1), (12, 3, 4), (2, 5, 3)])
def test_conv1d_is_pytorchs(T, k, dilation, activation, causal, rng):
    torch = pytest.importorskip("torch")
    layer = fastdl.Conv1D(3, 4, k, dilation, causal, activation, rng=rng)
    layer.b = rng.standard_normal(4)
    x, dout = (rng.standard_normal((5, T, n)).astype("f") for n in (3, 4))
    out, dx = layer.forward(x), layer.backward(dout)
    xt, W, b = (torch.tensor(a, requires_grad=True) for a in (x, layer.W, layer.b))
    around = (k - 1) * dilation
    left = around if causal else around // 2
    padded = torch.nn.functional.pad(xt.transpose(1, 2), (left, around - left))
    theirs = torch.nn.functional.conv1d(padded, W, b, dilation=dilation).transpose(1, 2)
    theirs = theirs.relu() if activation else theirs
    theirs.backward(torch.tensor(dout))
    for mine, expected in ((out, theirs.detach()), (dx, xt.grad), (layer.dW, W.grad),
                           (layer.db, b.grad)):  # fmt: skip
        np.testing.assert_allclose(mine, expected.numpy(), rtol=1e-4, atol=1e-5)
    layer.backward_parameters(dout)
    np.testing.assert_allclose(layer.dW, W.grad.numpy(), rtol=1e-4, atol=1e-5)
    layer.dW = None
    np.testing.assert_array_equal(layer.backward_inputs(dout), dx)
    assert layer.dW is None


def test_the_inputs_gradient_of_time_distributed_layers_leaves_out_the_weights(rng):
    layer = fastdl.TimeDistributed(fastdl.Dense(3, 2, rng=rng))
    dout = layer.forward(rng.standard_normal((4, 5, 3)))
    dx = layer.backward(dout)
    layer.layer.dW = None
    np.testing.assert_array_equal(layer.backward_inputs(dout), dx)
    assert layer.layer.dW is None


def test_causal_conv1d_sees_no_later_step(rng):
    layer, x = fastdl.Conv1D(2, 3, 3, dilation=2, rng=rng), rng.standard_normal((1, 10, 2))
    before = layer.forward(x)
    x[0, 6:] = np.nan
    after = layer.forward(x)
    np.testing.assert_array_equal(after[0, :6], before[0, :6])
    assert np.isnan(after[0, 6]).all()


def test_conv1d_wrong_input():
    with pytest.raises(ValueError, match="dilation is 0"):
        fastdl.Conv1D(2, 3, 3, dilation=0)
    with pytest.raises(ValueError, match="activation is 'tanh'"):
        fastdl.Conv1D(2, 3, 3, activation="tanh")
    layer = fastdl.Conv1D(2, 3, 3)
    with pytest.raises(ValueError, match=r"\(4, 2\); expected \(B, T, 2\)"):
        layer.forward(np.ones((4, 2)))
    layer.forward(np.ones((1, 4, 2)))
    with pytest.raises(ValueError, match=r"dout of shape \(1, 4, 2\); expected \(1, 4, 3\)"):
        layer.backward(np.ones((1, 4, 2)))


# ---------------------------------------------------------------------------- attention
ATTENTION = {
    "dot": lambda: fastdl.ScaledDotProductAttention(**F64),
    "additive": lambda: fastdl.AdditiveAttention(4, 4, 6, rng=np.random.default_rng(1), **F64),
}


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.parametrize("shape", [(3, 4), (3, 2, 4)])
@pytest.mark.parametrize("lengths", [None, [5, 0, 2]])
@pytest.mark.parametrize("own", [True, False])
def test_attention_gradients(name, shape, lengths, own, rng):
    layer = ATTENTION[name]()
    q, k = rng.standard_normal(shape), rng.standard_normal((3, 5, 4))
    given = [q, k] if own else [q, k, rng.standard_normal((3, 5, 7))]
    out = layer.forward(*given, lengths=lengths)
    dout = rng.standard_normal(out.shape)
    found = layer.backward(dout)
    names = layer.parameter_names
    arrays = [*given, *(getattr(layer, n) for n in names)]
    gradients = [*found, *(getattr(layer, "d" + n) for n in names)]

    def value():
        return float(np.sum(layer.forward(*given, lengths=lengths) * dout))

    gradient_check(value, arrays, gradients, rng)


def test_scaled_dot_product_attention_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    q, k, v = (rng.standard_normal((3, n, 4)).astype("f") for n in (2, 5, 5))
    mask = np.arange(5) < np.array([5, 1, 3])[:, None, None]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (q, k, v)), attn_mask=torch.tensor(mask)
    )
    layer = fastdl.ScaledDotProductAttention()
    out = layer.forward(q, k, v, lengths=[5, 1, 3])
    np.testing.assert_allclose(out, expected.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer.attention.sum(axis=2), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ATTENTION)
def test_steps_behind_a_length_do_not_matter(name, rng):
    layer, q = ATTENTION[name](), rng.standard_normal((3, 4))
    k = rng.standard_normal((3, 5, 4))
    expected = layer.forward(q[2:], k[2:, :2])
    k[2, 2:] = np.nan
    k[1] = np.nan
    out = layer.forward(q, k, lengths=[5, 0, 2])
    np.testing.assert_allclose(out[2], expected[0], rtol=1e-12)
    assert (out[1] == 0).all()
    assert all(np.isfinite(d).all() for d in layer.backward(np.ones_like(out)))


def test_attention_wrong_input():
    layer = fastdl.ScaledDotProductAttention()
    q, k = np.ones((2, 4)), np.ones((2, 5, 4))
    with pytest.raises(ValueError, match="query with 4 columns and keys with 3"):
        layer.forward(q, k[..., :3])
    with pytest.raises(ValueError, match="as many rows"):
        layer.forward(q[:1], k)
    with pytest.raises(ValueError, match="whole numbers from 0 to 5"):
        layer.forward(q, k, lengths=[1, 6])
    with pytest.raises(ValueError, match="before forward"):
        fastdl.ScaledDotProductAttention().backward(q)
    layer.forward(q, k)
    with pytest.raises(ValueError, match=r"dout of shape \(2, 5\); expected \(2, 4\)"):
        layer.backward(np.ones((2, 5)))
    with pytest.raises(ValueError, match=r"keys of shape .* with 4 columns"):
        fastdl.AdditiveAttention(4, 4, 3).forward(q, k[..., :3])
