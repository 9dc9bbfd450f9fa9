"""Layer-normalised RNN, LSTM and GRU: the formulas in PyTorch, step by step, with autograd."""

from __future__ import annotations

import numpy as np
import pytest

import fastdl

B, T, D, H = 5, 6, 3, 4
LAYERS = {
    "tanh": lambda **k: fastdl.RNN(D, H, layer_norm=True, **k),
    "relu": lambda **k: fastdl.RNN(D, H, activation="relu", layer_norm=True, **k),
    "lstm": lambda **k: fastdl.LSTM(D, H, layer_norm=True, **k),
    "gru": lambda **k: fastdl.GRU(D, H, layer_norm=True, **k),
}


def torch_step(kind, w, x, states):
    """The next states of PyTorch tensors; biases that are added up are given to one LN."""
    import torch

    def norm(a, gain, bias=None):
        return torch.nn.functional.layer_norm(a, a.shape[-1:], gain, bias, 1e-5)

    a, h = x @ w["W"], states[0]
    p = h @ w["U"]
    if kind in ("tanh", "relu"):
        return [getattr(torch, kind)(norm(a + p, w["gain"], w["b"]))]
    if kind == "lstm":
        i, f, g, o = (norm(a, w["gain_x"], w["b"]) + norm(p, w["gain_h"])).chunk(4, dim=1)
        c = torch.sigmoid(f) * states[1] + torch.sigmoid(i) * torch.tanh(g)
        return [torch.sigmoid(o) * torch.tanh(norm(c, w["gain_c"], w["bias_c"])), c]
    both = norm(a[:, : 2 * H], w["gain_x"][: 2 * H], w["b"][: 2 * H])
    both = torch.sigmoid(both + norm(p[:, : 2 * H], w["gain_h"][: 2 * H]))
    r, z = both.chunk(2, dim=1)
    n = norm(a[:, 2 * H :], w["gain_x"][2 * H :], w["b"][2 * H : 3 * H])
    n = torch.tanh(n + r * norm(p[:, 2 * H :], w["gain_h"][2 * H :], w["b"][3 * H :]))
    return [(1 - z) * n + z * h]


@pytest.mark.parametrize("kind", LAYERS)
def test_pytorch(kind, rng):
    torch = pytest.importorskip("torch")
    layer = LAYERS[kind](dtype="float64", rng=np.random.default_rng(1))
    for name in layer.parameter_names:  # gains and biases that matter
        getattr(layer, name)[...] += 0.3 * rng.standard_normal(getattr(layer, name).shape)
    x = rng.standard_normal((B, T, D))
    w = {n: torch.tensor(getattr(layer, n), requires_grad=True) for n in layer.parameter_names}
    xt = torch.tensor(x, requires_grad=True)
    states = [torch.zeros(B, H, dtype=torch.float64) for _ in range(layer.cell.states)]
    outs = []
    for t in range(T):
        states = torch_step(kind, w, xt[:, t], states)
        outs.append(states[0])
    theirs = torch.stack(outs, dim=1)
    out = layer.forward(x)
    np.testing.assert_allclose(out, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    dout = rng.standard_normal(out.shape)
    (theirs * torch.tensor(dout)).sum().backward()
    np.testing.assert_allclose(layer.backward(dout), xt.grad.numpy(), rtol=1e-8, atol=1e-11)
    for name, tensor in w.items():
        found = getattr(layer, "d" + name)
        np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-8, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("kind", LAYERS)
def test_numbers_behind_a_length_do_not_matter(kind, rng):
    layer = LAYERS[kind](rng=np.random.default_rng(1))
    x, lengths = rng.standard_normal((B, T, D)).astype("f"), np.array([6, 0, 4, 1, 5])
    out = layer.forward(x, lengths)
    x[np.arange(T) >= lengths[:, None]] = np.nan
    np.testing.assert_array_equal(layer.forward(x, lengths), out)
    dout = rng.standard_normal(out.shape).astype("f")
    dx = layer.backward(dout)
    assert np.isfinite(dx).all() and (dx[np.arange(T) >= lengths[:, None]] == 0).all()
    assert all(np.isfinite(getattr(layer, "d" + name)).all() for name in layer.parameter_names)


def test_products_of_any_size_give_the_same(rng):
    """What layer normalisation is for: the scale of W and U does not count (but for epsilon)."""
    layer = fastdl.LSTM(D, H, layer_norm=True, dtype="float64", rng=np.random.default_rng(1))
    x = 10 * rng.standard_normal((B, T, D))
    state = (rng.standard_normal((1, B, H)), rng.standard_normal((1, B, H)))
    layer.W, layer.U = 100 * layer.W, 100 * layer.U
    out = layer.forward(x, None, state)
    layer.W, layer.U = 10 * layer.W, 10 * layer.U
    np.testing.assert_allclose(layer.forward(x, None, state), out, rtol=1e-3, atol=1e-4)


def test_saved_and_loaded(tmp_path, rng):
    x, t = rng.standard_normal((B, T, D)).astype("f"), np.eye(2)[[0, 1, 1, 0, 1]]
    net = fastdl.Sequential(
        fastdl.LSTM(D, H, num_layers=2, bidirectional=True, layer_norm=True),
        fastdl.GRU(2 * H, H, return_sequences=False, layer_norm=True),
        fastdl.Dense(H, 2),
    )
    assert {"gain_x0", "layer1_reverse_bias_c0", "gain_h1"} <= set(net.parameters())
    optimizer, losses = fastdl.Adam(0.02), []
    for _ in range(20):
        optimizer.update(net.parameters(), net.gradient(x, t))
        losses.append(net.latest_loss)
    assert losses[-1] < 0.7 * losses[0]
    net.save(tmp_path / "net.safetensors")
    again = fastdl.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


def test_what_does_not_exist():
    with pytest.raises(ValueError, match="needs reset_after=True"):
        fastdl.GRU(2, 3, reset_after=False, layer_norm=True)
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="layer_norm=True"):
        fastdl.to_torch(fastdl.LSTM(2, 3, layer_norm=True))
