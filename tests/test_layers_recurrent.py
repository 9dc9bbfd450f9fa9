"""RNN, LSTM and GRU: PyTorch, gradients through time, lengths, states, truncation, saving."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from fastdl.kernels.jit import numba_is_compiling
from oracles import gradient_check

import fastdl
from fastdl.layers.recurrent_cells import any_state

KINDS = {
    "tanh": lambda *a, **k: fastdl.RNN(*a, **k),
    "relu": lambda *a, **k: fastdl.RNN(*a, activation="relu", **k),
    "lstm": lambda *a, **k: fastdl.LSTM(*a, **k),
    "gru": lambda *a, **k: fastdl.GRU(*a, **k),
    "reset first": lambda *a, **k: fastdl.GRU(*a, reset_after=False, **k),
    "normalized rnn": lambda *a, **k: fastdl.RNN(*a, layer_norm=True, **k),
    "normalized lstm": lambda *a, **k: fastdl.LSTM(*a, layer_norm=True, **k),
    "normalized gru": lambda *a, **k: fastdl.GRU(*a, layer_norm=True, **k),
}
SHAPES = {"plain": {}, "stacked": {"num_layers": 2}, "both": {"bidirectional": True},
          "stacked both": {"num_layers": 2, "bidirectional": True}}  # fmt: skip
B, T, D, H = 5, 6, 3, 4


def made(kind, rng=None, dtype="float32", **options):
    layer = KINDS[kind](D, H, rng=rng or np.random.default_rng(1), dtype=dtype, **options)
    for name in layer.parameter_names:  # biases too
        array = getattr(layer, name)
        array += 0.3 * np.random.default_rng(2).standard_normal(array.shape).astype(dtype)
    return layer


def some_state(layer, rng, rows=B):
    shape = (layer.num_layers * layer.directions, rows, H)
    arrays = [rng.standard_normal(shape).astype(layer.dtype) for _ in range(layer.cell.states)]
    return tuple(arrays) if len(arrays) > 1 else arrays[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
@pytest.mark.parametrize("lengths", [None, [6, 1, 4, 2, 6]])
def test_pytorch(kind, shape, lengths, rng):
    """Outputs, final states and every gradient of the module that to_torch makes."""
    torch = pytest.importorskip("torch")
    layer = made(kind, return_state=True, **SHAPES[shape])
    module = fastdl.to_torch(layer)
    x, state = rng.standard_normal((B, T, D)).astype("f"), some_state(layer, rng)
    out, last = layer.forward(x, lengths, state)
    dout = rng.standard_normal(out.shape).astype("f")
    dlast = some_state(layer, rng)
    dx = layer.backward(dout, dlast)

    xt = torch.tensor(x, requires_grad=True)
    given = [torch.tensor(a, requires_grad=True) for a in any_state(state)]
    packed = xt
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            xt, torch.tensor(lengths), batch_first=True, enforce_sorted=False
        )
    theirs, end = module(packed, tuple(given) if len(given) > 1 else given[0])
    if lengths is not None:
        theirs, _ = torch.nn.utils.rnn.pad_packed_sequence(theirs, batch_first=True, total_length=T)
    ends = any_state(end)
    loss = (theirs * torch.tensor(dout)).sum()
    for a, d in zip(ends, any_state(dlast), strict=True):
        loss = loss + (a * torch.tensor(d)).sum()
    loss.backward()

    close = {"rtol": 1e-4, "atol": 2e-5}
    np.testing.assert_allclose(out, theirs.detach().numpy(), **close)
    np.testing.assert_allclose(dx, xt.grad.numpy(), **close)
    for mine, a in zip(any_state(last), ends, strict=True):
        np.testing.assert_allclose(mine, a.detach().numpy(), **close)
    for mine, a in zip(any_state(layer.dstate), given, strict=True):
        np.testing.assert_allclose(mine, a.grad.numpy(), **close)
    for i, (W, U, b) in enumerate(layer._cell_names):
        end = f"_l{i // layer.directions}" + ("_reverse" if i % layer.directions else "")
        ih, hh = (getattr(module, n + end).grad.numpy().T for n in ("weight_ih", "weight_hh"))
        np.testing.assert_allclose(getattr(layer, "d" + W), ih, **close)
        np.testing.assert_allclose(getattr(layer, "d" + U), hh, **close)
        first, second = (getattr(module, n + end).grad.numpy() for n in ("bias_ih", "bias_hh"))
        expected = np.r_[first, second[2 * H :]] if kind == "gru" else first
        np.testing.assert_allclose(getattr(layer, "d" + b), expected, **close)


@pytest.mark.parametrize("kind", ["tanh", "relu", "lstm", "gru"])
def test_weights_from_pytorch(kind, rng):
    torch = pytest.importorskip("torch")
    torch.manual_seed(3)
    name, options = {"tanh": ("RNN", {}), "relu": ("RNN", {"nonlinearity": "relu"}),
                     "lstm": ("LSTM", {}), "gru": ("GRU", {})}[kind]  # fmt: skip
    module = getattr(torch.nn, name)(D, H, 2, bidirectional=True, batch_first=True, **options)
    layer = fastdl.from_torch(module)
    x = rng.standard_normal((B, T, D)).astype("f")
    expected = module(torch.tensor(x))[0].detach().numpy()
    np.testing.assert_allclose(layer.forward(x), expected, rtol=1e-5, atol=1e-6)
    again = fastdl.from_torch(fastdl.to_torch(layer))
    for key, array in layer.parameters().items():
        np.testing.assert_array_equal(getattr(again, key), array)


def test_pytorch_modules_without_a_counterpart():
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"Linear.*expected torch\.nn\.RNN"):
        fastdl.from_torch(torch.nn.Linear(2, 3))
    with pytest.raises(ValueError, match="proj_size=2"):
        fastdl.from_torch(torch.nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(ValueError, match="reset_after=False"):
        fastdl.to_torch(fastdl.GRU(2, 3, reset_after=False))
    with pytest.raises(TypeError, match="Dense"):
        fastdl.to_torch(fastdl.Dense(2, 3))


def check_gradients(layer, rng, lengths, state):
    """The gradients by all parameters, x and the initial state, of a random scalar."""
    x = rng.standard_normal((B, T, D))
    out, _ = layer.forward(x, lengths, state)
    dout, dlast = rng.standard_normal(out.shape), some_state(layer, rng)
    dx = layer.backward(dout, dlast)

    def value():
        out, last = layer.forward(x, lengths, state)
        ends = zip(any_state(last), any_state(dlast), strict=True)
        return float(np.sum(out * dout) + sum(np.sum(a * b) for a, b in ends))

    names = layer.parameter_names
    arrays = [x, *any_state(state), *(getattr(layer, name) for name in names)]
    gradients = [dx, *any_state(layer.dstate), *(getattr(layer, "d" + n) for n in names)]
    gradient_check(value, arrays, gradients, rng)


@pytest.mark.parametrize("backend", ["numba", "numpy"])
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_through_time(kind, shape, sequences, backend, rng):
    with fastdl.use_backend(backend):
        options = {**SHAPES[shape], "return_sequences": sequences}
        layer = made(kind, dtype="float64", return_state=True, **options)
        check_gradients(layer, rng, [6, 0, 4, 1, 5], some_state(layer, rng))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_with_a_length_is_the_shorter_sequence(kind, shape, rng):
    layer = made(kind, **SHAPES[shape])
    x, lengths = rng.standard_normal((B, T, D)).astype("f"), [6, 1, 4, 2, 3]
    dout = rng.standard_normal((B, T, H * layer.directions)).astype("f")
    out = layer.forward(x, lengths)
    dx, last = layer.backward(dout), any_state(layer.state)
    total = dict.fromkeys(layer.parameter_names, 0)
    for row, length in enumerate(lengths):
        own = layer.forward(x[row : row + 1, :length])
        np.testing.assert_allclose(out[row, :length], own[0], rtol=1e-5, atol=1e-6)
        assert (out[row, length:] == 0).all()
        for a, b in zip(last, any_state(layer.state), strict=True):
            np.testing.assert_allclose(a[:, row], b[:, 0], rtol=1e-5, atol=1e-6)
        found = layer.backward(dout[row : row + 1, :length])
        np.testing.assert_allclose(dx[row, :length], found[0], rtol=1e-4, atol=1e-5)
        assert (dx[row, length:] == 0).all()
        total = {name: total[name] + getattr(layer, "d" + name) for name in total}
    layer.forward(x, lengths)
    layer.backward(dout)
    for name, expected in total.items():
        np.testing.assert_allclose(getattr(layer, "d" + name), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_state_is_the_last_step(kind, rng):
    x = rng.standard_normal((B, T, D)).astype("f")
    lengths = np.array([6, 1, 4, 2, 3])
    every, last = made(kind), made(kind, return_sequences=False)
    out = every.forward(x, lengths)
    np.testing.assert_array_equal(out[np.arange(B), lengths - 1], last.forward(x, lengths))
    d = rng.standard_normal((B, H)).astype("f")
    dout = np.zeros_like(out)
    dout[np.arange(B), lengths - 1] = d
    np.testing.assert_allclose(every.backward(dout), last.backward(d), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_stateful_parts_are_one_long_sequence(kind, rng):
    x = rng.standard_normal((B, T, D)).astype("f")
    whole = made(kind, num_layers=2).forward(x)
    layer = made(kind, num_layers=2, stateful=True)
    for _ in range(2):
        parts = [layer.forward(x[:, :2]), layer.forward(x[:, 2:])]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6)
        layer.reset_state()
    layer.forward(x)
    with pytest.raises(ValueError, match=r"2 rows, but keeps the state of 5 .*reset_state"):
        layer.forward(x[:2])


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_cuts_gradients_and_nothing_else(kind, rng):
    """A truncated sequence has the gradients of its parts, each from the state before it."""
    x, k = rng.standard_normal((B, T, D)), 4
    cut, whole = made(kind, dtype="float64", truncate=k), made(kind, dtype="float64")
    out = cut.forward(x)
    np.testing.assert_array_equal(out, whole.forward(x))
    dout = rng.standard_normal(out.shape)
    dx = cut.backward(dout)
    whole.forward(x[:, :k])
    first, state = whole.backward(dout[:, :k]), whole.state
    gradients = {name: getattr(whole, "d" + name) for name in whole.parameter_names}
    whole.forward(x[:, k:], None, state)
    second = whole.backward(dout[:, k:])
    np.testing.assert_allclose(dx, np.concatenate([first, second], axis=1), rtol=1e-10)
    for name, gradient in gradients.items():
        expected = gradient + getattr(whole, "d" + name)
        np.testing.assert_allclose(getattr(cut, "d" + name), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["tanh", "lstm", "gru", "reset first"])
def test_gradients_that_fade_end_at_zero(kind, rng):
    """They do not linger among the slow numbers below the smallest normal one."""
    layer = made(kind, return_sequences=False)
    for array in layer.parameters().values():
        array *= 0.3
    layer.b[H : 2 * H] = -2  # forget gates, and update gates
    layer.forward(rng.standard_normal((B, 200, D)).astype("f"))
    dx, tiny = abs(layer.backward(np.ones((B, H), "f"))), np.finfo(np.float32).tiny
    assert (dx[:, :50] == 0).all() and (dx[:, -1] > 0).any()
    if numba_is_compiling() and platform.machine() in ("x86_64", "AMD64"):
        assert not ((dx > 0) & (dx < tiny)).any()
        assert np.float32(tiny) / np.float32(4) > 0  # the caller's own arithmetic is as before


def test_dropout_lies_between_layers_in_training_only(rng):
    x = rng.standard_normal((B, T, D)).astype("f")
    layer, plain = made("gru", num_layers=2, dropout=0.5), made("gru", num_layers=2)
    assert not np.allclose(layer.forward(x), plain.forward(x))
    layer.training = False
    np.testing.assert_array_equal(layer.forward(x), plain.forward(x))


def test_what_the_user_got_is_not_overwritten(rng):
    x = rng.standard_normal((B, T, D)).astype("f")
    layer = made("lstm", return_state=True)
    out, (h, c) = layer.forward(x)
    kept = [a.copy() for a in (out, h, c)]
    layer.forward(2 * x)
    layer.backward(np.ones_like(out))
    for a, b in zip((out, h, c), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_forget_gates_begin_open():
    b = fastdl.LSTM(2, 3, num_layers=2).layer1_b
    np.testing.assert_array_equal(b, np.repeat([0, 1, 0, 0], 3))


def network():
    rng = np.random.default_rng(0)
    return fastdl.Sequential(
        fastdl.LSTM(D, H, num_layers=2, bidirectional=True, rng=rng),
        fastdl.GRU(2 * H, H, return_sequences=False, truncate=3, rng=rng),
        fastdl.Dense(H, 2, rng=rng),
    )


def test_saved_and_loaded_in_a_network(tmp_path, rng):
    net, x, t = network(), rng.standard_normal((B, T, D)).astype("f"), np.eye(2)[[0, 1, 1, 0, 1]]
    assert {"W0", "reverse_U0", "layer1_b0", "layer1_reverse_W0", "W1", "b2"} <= set(
        net.parameters()
    )
    optimizer = fastdl.Adam(0.02)
    losses = []
    for _ in range(20):
        optimizer.update(net.parameters(), net.gradient(x, t))
        losses.append(net.latest_loss)
    assert losses[-1] < 0.5 * losses[0]
    net.save(tmp_path / "net.safetensors")
    again = fastdl.load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(again.predict(x), net.predict(x))
    assert again.layers[1].truncate == 3


def test_the_first_layer_leaves_dx_out(rng):
    """And has the same gradients with and without it."""
    x = rng.standard_normal((B, T, D)).astype("f")
    layer = made("lstm")
    dout = rng.standard_normal(layer.forward(x).shape).astype("f")
    layer.backward(dout)
    expected = layer.dW.tobytes()
    layer.backward_parameters(dout)
    assert layer.dW.tobytes() == expected


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: fastdl.LSTM(0, 3), ValueError, "input_dim is 0"),
        (lambda: fastdl.LSTM(2, 3.5), TypeError, "hidden is 3.5"),
        (lambda: fastdl.RNN(2, 3, activation="elu"), ValueError, "activation is 'elu'"),
        (lambda: fastdl.GRU(2, 3, dropout=1.0), ValueError, "dropout is 1.0"),
        (lambda: fastdl.GRU(2, 3, truncate=0), ValueError, "truncate is 0"),
        (lambda: fastdl.GRU(2, 3, stateful=True, bidirectional=True), ValueError, "exclude"),
        (lambda: made("gru").backward(np.ones((1, 2, 4))), ValueError, "before forward"),
        (lambda: made("gru").forward(np.ones((2, 3))), ValueError, r"\(2, 3\); expected \(B"),
        (lambda: made("gru").forward(np.ones((2, 5, 4))), ValueError, r"expected \(B, T, 3\)"),
        (lambda: made("gru").forward(np.ones((2, 0, 3))), ValueError, "x is empty"),
        (lambda: made("gru").forward(np.ones((2, 5, 3)), [1]), ValueError, r"expected \(2,\)"),
        (lambda: made("gru").forward(np.ones((2, 5, 3)), [1, 6]), ValueError, r"lengths\[1\] is 6"),
        (lambda: made("gru").forward(np.ones((2, 5, 3)), [1.0, 2]), TypeError, "float64"),
        (lambda: made("gru").forward(np.ones((2, 5, 3)), None, np.ones((1, 2, 5))), ValueError,
         r"state of shape \(1, 2, 5\); expected \(1, 2, 4\)"),
        (lambda: made("lstm").forward(np.ones((2, 5, 3)), None, np.ones((1, 2, 4))), ValueError,
         r"a tuple \(h, c\)"),
        (lambda: made("gru").forward(np.array([[["a"] * 3]])), TypeError, "real numbers"),
    ],
)  # fmt: skip
def test_wrong_input(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_wrong_dout(rng):
    layer = made("gru")
    layer.forward(np.ones((2, 5, 3)))
    with pytest.raises(ValueError, match=r"dout of shape \(2, 4, 4\); expected \(2, 5, 4\)"):
        layer.backward(np.ones((2, 4, 4)))
