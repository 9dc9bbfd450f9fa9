"""The networks of forecasters."""

from __future__ import annotations

import numpy as np
import pytest
from oracles import gradient_check

import fastdl
from fastdl.data.series import SeriesSet, WindowMaker, WindowStream

CONTEXT, HORIZON = 9, 3
MODELS = [
    ("direct", {}),
    ("direct", {"head": "gaussian", "attention": True, "encoder": "gru"}),
    ("direct", {"head": "negative_binomial", "encoder": "conv", "linear": False}),
    ("autoregressive", {"head": "student_t", "lags": (4,), "encoder": "rnn"}),
    ("autoregressive", {"head": "negative_binomial"}),
]


def stream_of(rng, dtype="float64", counts=False):
    values = [rng.poisson(20, n).astype(float) if counts else rng.standard_normal(n) + 5
              for n in (40, 30)]  # fmt: skip
    values[0][12] = np.nan
    series = SeriesSet.from_arrays(
        values, frequency="h", known=[rng.standard_normal((n + 5, 1)) for n in (40, 30)],
        past=[rng.standard_normal((n, 1)) for n in (40, 30)],
        static={"kind": ["a", "b"], "size": [0.5, 1.5]},
    )  # fmt: skip
    scaling = "mean_abs" if counts else "standard"
    return WindowStream(series, WindowMaker(CONTEXT, HORIZON, scaling, dtype=dtype), batches=True)


def model_of(kind, options, stream, rng, dtype="float64"):
    made = {"direct": fastdl.DirectForecaster, "autoregressive": fastdl.AutoregressiveForecaster}
    channels = len(stream.maker.channels(stream.series))
    return made[kind](
        CONTEXT, HORIZON, channels, unknown=3, numbers=1, categories=(2,), hidden=5, dtype=dtype,
        rng=rng, **options,
    )  # fmt: skip


@pytest.mark.parametrize("kind, options", MODELS)
def test_gradients_of_whole_networks(kind, options, rng):
    stream = stream_of(rng, counts=options.get("head") == "negative_binomial")
    model = model_of(kind, options, stream, rng)
    for name, array in model.parameters().items():
        array[...] = 0.3 * rng.standard_normal(array.shape)
        assert array.size, name
    rows = stream.take(np.arange(0, stream.all_rows, 5))
    found = model.gradient(rows.x, rows.t)
    names = [name for name in found if not name.startswith("E")]
    arrays = [model.parameters()[name] for name in names]
    gradients = [found[name] for name in names]
    tables = [layer for layer in model.layers if layer.table_names]
    arrays += [layer.E for layer in tables]
    gradients += [np.asarray(layer.dE) for layer in tables]
    gradient_check(lambda: model.loss(rows.x, rows.t), arrays, gradients, rng, tolerance=1e-5)


@pytest.mark.parametrize("kind, options", MODELS)
def test_saved_networks_are_the_same(kind, options, rng, tmp_path):
    stream = stream_of(rng, "float32", options.get("head") == "negative_binomial")
    model = model_of(kind, options, stream, rng, "float32")
    model.save(tmp_path / "model.safetensors")
    again = fastdl.load(tmp_path / "model.safetensors")
    x = stream.take(np.arange(7)).x
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.config() == model.config()


def test_direct_forecaster_is_what_pytorch_computes(rng):
    torch = pytest.importorskip("torch")
    stream = stream_of(rng)
    model = model_of("direct", {}, stream, rng)
    for array in model.parameters().values():
        array[...] = 0.3 * rng.standard_normal(array.shape)
    x = stream.take(np.arange(0, stream.all_rows, 3)).x
    by_kind = {type(layer).__name__: layer for layer in model.layers}
    first, last = [v for v in model.layers if type(v).__name__ == "TimeDistributed"][::2]
    decoder, line = by_kind["StepDecoder"], by_kind["AddLinear"]
    vectors = by_kind["StaticEmbedding"].E[x.codes[:, 0]]
    own = np.concatenate([x.numbers, vectors], axis=1)
    steps = np.concatenate([x.x[:, :CONTEXT], np.repeat(own[:, None], CONTEXT, axis=1)], axis=2)
    lstm = fastdl.to_torch(by_kind["LSTM"])
    with torch.no_grad():
        state = lstm(torch.tensor(steps))[0][:, -1]
        t = {n: torch.tensor(getattr(decoder, n)) for n in "WUV"}
        known = torch.tensor(x.x[:, CONTEXT:, 3:])
        out = torch.relu((state @ t["W"])[:, None] + known @ t["U"] + t["V"])
        out = torch.relu(out @ torch.tensor(first.W) + torch.tensor(first.b))
        out = out @ torch.tensor(last.W) + torch.tensor(last.b)
        values = torch.tensor(x.x[:, :CONTEXT, 0])
        out += (values @ torch.tensor(line.W) + torch.tensor(line.b))[..., None]
    np.testing.assert_allclose(model.predict(x), out.reshape(len(x), -1), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", [{}, {"lags": (2, 11)}, {"encoder": "gru", "num_layers": 2}])
def test_paths_are_fed_what_was_drawn(options, rng):
    """Step by step with states gives what one pass over the drawn path gives."""
    stream = stream_of(rng)
    model = model_of("autoregressive", {"head": "gaussian", **options}, stream, rng).eval()
    for array in model.parameters().values():
        array[...] = 0.3 * rng.standard_normal(array.shape)
    x = stream.take(np.array([0, 11, 30])).x
    x.ahead = x.ahead[:, :0]
    model._head.layer.b[0, 1] = -60  # softplus of it is 0: a deviation of 1e-4
    model._head.layer.W[:, 1] = 0
    paths = model.paths(x, 4, np.random.default_rng(1))
    assert paths.shape == (3, 4, HORIZON)
    for i in range(4):
        x.ahead = np.stack([paths[:, i], np.ones((3, HORIZON))], axis=2)
        mean = model.distribution(x)[..., 0]
        np.testing.assert_allclose(paths[:, i], mean, atol=6e-4)
    assert np.ptp(paths, axis=1).max() > 0


def test_paths_have_the_spread_of_the_head(rng):
    stream = stream_of(rng)
    model = model_of("autoregressive", {"head": "gaussian"}, stream, rng).eval()
    x = stream.take(np.array([4])).x
    out = model.distribution(x)[0, 0]
    first = model.paths(x, 20_000, rng)[0, :, 0]
    np.testing.assert_allclose(first.mean(), out[0], atol=0.05)
    np.testing.assert_allclose(first.std(), np.logaddexp(0, out[1]), rtol=0.03)


def test_an_autoregressive_network_needs_the_past_for_its_distribution(rng):
    stream = stream_of(rng)
    model = model_of("autoregressive", {}, stream, rng)
    x = stream.take(np.array([4])).x
    x.ahead = x.ahead[:, :0]
    with pytest.raises(ValueError, match="draw paths instead"):
        model.distribution(x)


def test_one_and_two_threads_give_the_same_bits(rng, two_thread_counts):
    def train():
        own = np.random.default_rng(0)
        stream = stream_of(own, "float32")
        model = model_of("direct", {}, stream, own, "float32")
        trainer = fastdl.Trainer(model, fastdl.Adam(0.01))
        trainer.train(stream, epochs=2, batch_size=16, rng=own, verbose=False)
        return model.predict(stream.take(np.arange(9)).x)

    one, two = two_thread_counts(train)
    np.testing.assert_array_equal(one, two)


def test_wrong_options_and_windows(rng):
    stream = stream_of(rng)
    for options, message in (
        ({"encoder": "transformer"}, "encoder is 'transformer'; expected one of lstm, gru"),
        ({"head": "poisson"}, "head is 'poisson'; expected one of quantile, gaussian"),
        ({"unknown": 99}, "unknown is 99; expected 2"),
        ({"context": 0}, "context"),
    ):
        kind = {"context": 9, "horizon": 3, "channels": 4, **options}
        with pytest.raises(ValueError, match=message):
            fastdl.DirectForecaster(**kind)
    with pytest.raises(TypeError, match=r"DirectForecaster has no \['lags'\]; it has width"):
        fastdl.DirectForecaster(9, 3, 4, lags=(2,))
    with pytest.raises(ValueError, match="head is 'quantile'; expected one of student_t"):
        fastdl.AutoregressiveForecaster(9, 3, 4, head="quantile")
    with pytest.raises(ValueError, match="encoder of an autoregressive model is 'conv'"):
        fastdl.AutoregressiveForecaster(9, 3, 4, encoder="conv")
    x = stream.take(np.arange(3)).x
    with pytest.raises(ValueError, match=r"windows of shape \(3, 12, 1\d\).*expected \(N, 12, 4\)"):
        fastdl.DirectForecaster(9, 3, 4).predict(x)
    with pytest.raises(TypeError, match=r"takes windows.*got ndarray"):
        fastdl.DirectForecaster(9, 3, 4).predict(x.x)
