"""The CTR models against PyTorch transcriptions, gradient checks, saving, threads."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.models import ctr
from fastdl.models.ctr import growth

import fastdl

MODELS = [name for name in ctr.__all__ if name not in ("CTRModel", "CTRPredictionNetwork")]
SMALL = {
    "xDeepFM": {"maps": (5, 4)}, "AutoInt": {"head_dim": 3, "attention_layers": 2},
    "DLRM": {"bottom": (7,)}, "MaskNet": {"blocks": 2, "block_width": 6},
    "FinalMLP": {"heads": 2, "gate_hidden": (5,)},
}  # fmt: skip
NORMAL = fastdl.initializers.Normal(std=0.1)


def make(name, numeric=2, dtype="float64", **options):
    spec = fastdl.FeatureSpec(
        numeric=numeric,
        fields=[fastdl.Field("a", 40, "shared"), 7, fastdl.Field("b", 40, "shared")],
    )
    options = {"embedding_initializer": NORMAL, **SMALL.get(name, {}), **options}
    rng = np.random.default_rng(3)
    return getattr(ctr, name)(spec, 4, (12, 8), dtype=dtype, rng=rng, **options)


def data(rows, numeric=2, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.5, (rows, 3)) - 1, [39, 6, 39])
    x = {"ids": ids}
    if numeric:
        x["numeric"] = rng.standard_normal((rows, numeric))
    clicks = (ids[:, 0] + ids[:, 1] * (1 + (ids[:, 2] > 2))) % 3 == 0
    return x, clicks.astype(float)


def batches(steps, rows=32, numeric=2):
    x, t = data(steps * rows, numeric)
    for step in range(steps):
        own = slice(step * rows, (step + 1) * rows)
        yield {name: array[own] for name, array in x.items()}, t[own]


def train(model, optimizer, steps, numeric=2):
    losses = []
    for x, t in batches(steps, numeric=numeric):
        grads = model.gradient(x, t)
        losses.append(model.latest_loss)
        optimizer.update(model.parameters(), grads)
    return losses


def train_torch(model, steps, numeric=2, penalty=0.0, clip=None, sparse_lr=1e-2):
    torch = pytest.importorskip("torch")
    from torch_ctr import Transcription

    twin = Transcription(model)
    optimizer = torch.optim.Adam(twin.parameters(), lr=sparse_lr, eps=1e-8)
    losses = []
    for x, t in batches(steps, numeric=numeric):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(twin(x), torch.tensor(t))
        losses.append(loss.item())
        for name, value in zip(twin.names, twin.values, strict=True):
            if penalty and name[0] in "Ew" and name[1:].isdigit():
                loss = loss + penalty / 2 * (value**2).sum()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(twin.parameters(), clip)
        optimizer.step()
    return losses, {n: v.detach().numpy() for n, v in zip(twin.names, twin.values, strict=True)}


@pytest.mark.parametrize("numeric", [0, 2])
@pytest.mark.parametrize("name", MODELS)
def test_two_hundred_steps_of_exact_adam_are_pytorchs(name, numeric):
    model = make(name, numeric)
    expected, _ = train_torch(model, 200, numeric)
    losses = train(model, fastdl.Adam(1e-2, sparse="exact"), 200, numeric)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    assert np.mean(losses[-20:]) < np.mean(losses[:5])


def test_clipping_counts_tables_and_dense_weights_as_pytorch_does():
    model = make("DeepFM")
    expected, _ = train_torch(model, 120, clip=0.05)
    losses = train(model, fastdl.Adam(1e-2, clip_norm=0.05, sparse="exact"), 120)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_penalty_on_the_whole_table_is_pytorchs():
    """Untouched rows shrink too, at the cost of the touched ones."""
    model = make("DeepFM", embedding_l2=0.01)
    expected, weights = train_torch(model, 120, penalty=0.01)
    losses = train(model, fastdl.Adam(1e-2), 120)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    for i, layer in enumerate(model.layers):
        for key, array in layer.parameters().items():
            np.testing.assert_allclose(array, weights[f"{key}{i}"], rtol=1e-5, atol=1e-8)


def test_lazy_adam_is_near_the_exact_one():
    results = [make("DeepFM") for _ in range(3)]
    losses = [
        train(model, fastdl.Adam(1e-2, sparse=mode), 200)
        for model, mode in zip(results, ("exact", "lazy", "touched"), strict=True)
    ]
    lazy, touched = (np.abs(np.subtract(other, losses[0])).mean() for other in losses[1:])
    assert lazy < 0.02
    assert lazy < touched


@pytest.mark.parametrize("name", MODELS)
def test_gradients_along_a_random_direction(name, rng):
    model = make(name)
    x, t = data(24)
    x["ids"][:3] = x["ids"][3]  # rows that come several times
    weight = rng.random(24)
    grads = {k: np.asarray(g) for k, g in model.gradient(x, t, weight).items()}
    params = model.parameters()
    assert set(grads) == set(params)
    direction = {k: rng.standard_normal(p.shape) for k, p in params.items()}
    slope = sum(np.sum(grads[k] * direction[k]) for k in params)
    losses, step = [], 1e-6
    for sign in (1, -1):
        for k, p in params.items():
            p += sign * step * direction[k] * (1 if sign == 1 else 2)
        losses.append(model.loss(x, t, weight))
    np.testing.assert_allclose((losses[0] - losses[1]) / (2 * step), slope, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_saved_and_loaded_models_predict_the_same(name, tmp_path):
    model = make(name, dtype="float32", net_l2=1e-4, batch_norm=True, dropout=0.1)
    train(model, fastdl.Adam(1e-2), 5)
    x, _ = data(50)
    before = model.predict_proba(x)
    model.save(tmp_path / "model.safetensors")
    again = fastdl.load(tmp_path / "model.safetensors")
    assert type(again) is type(model)
    assert again.config() == model.config()
    assert before.tobytes() == again.predict_proba(x).tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_equal_bits_on_one_and_two_threads(name, two_thread_counts):
    def run():
        model = make(name, dtype="float32")
        losses = train(model, fastdl.Adam(1e-2, clip_norm=1.0), 5)
        return np.array(losses), *(p.copy() for p in model.parameters().values())

    one, two = two_thread_counts(run)
    for a, b in zip(one, two, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ["DeepFM", "DCNv2", "AutoInt", "xDeepFM", "MaskNet", "DLRM"])
def test_the_numpy_backend_gives_the_same(name):
    model = make(name)
    losses = train(model, fastdl.Adam(1e-2), 10)
    with fastdl.use_backend("numpy"):
        expected = train(make(name), fastdl.Adam(1e-2), 10)
    np.testing.assert_allclose(losses, expected, rtol=1e-10)


OPTIMIZERS = [
    fastdl.SGD(0.1), fastdl.SGD(0.1, momentum=0.9), fastdl.AdaGrad(0.1), fastdl.RMSprop(0.01),
    fastdl.RowWiseAdaGrad(0.1), fastdl.FTRL(0.1, l1=0.001), fastdl.AdamW(0.01),
    fastdl.Adam(0.01, sparse="touched"),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_every_optimizer_trains_tables(optimizer):
    losses = train(make("DeepFM"), optimizer, 150)
    assert np.mean(losses[-20:]) < 0.9 * np.mean(losses[:10])


@pytest.mark.parametrize("rule", ["AdaGrad", "SGD"])
def test_touched_rows_suffice_where_others_have_no_gradient(rule):
    """AdaGrad and plain SGD do not move a row without a gradient: the dense step is the same."""
    model, dense = make("DeepFM"), make("DeepFM")
    train(model, getattr(fastdl, rule)(0.1), 20)
    optimizer = getattr(fastdl, rule)(0.1)
    for x, t in batches(20):
        grads = {k: np.asarray(g) for k, g in dense.gradient(x, t).items()}
        optimizer.update(dense.parameters(), grads)
    for mine, expected in zip(
        model.parameters().values(), dense.parameters().values(), strict=True
    ):
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-14)


def test_an_optimizer_of_ones_own_sees_dense_gradients():
    class Plain(fastdl.Optimizer):
        def update(self, params, grads):
            for key in params:
                params[key] -= 0.1 * grads[key]

    model, twin = make("DeepFM"), make("DeepFM")
    train(model, Plain(), 10)
    train(twin, fastdl.SGD(0.1), 10)
    for mine, expected in zip(model.parameters().values(), twin.parameters().values(), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-12, atol=1e-14)


def test_sequences_with_every_pooling_and_empty_rows(rng):
    spec = fastdl.FeatureSpec(
        fields=[fastdl.Field("item", 30, "items")],
        sequences=[
            fastdl.SequenceField(pooling, 30, "items", pooling)
            for pooling in ("sum", "mean", "attention")
        ],
    )
    model = fastdl.DeepFM(
        spec, 3, (6,), dtype="float64", embedding_initializer=NORMAL, rng=np.random.default_rng(1)
    )
    lists = [rng.integers(0, 30, rng.integers(0, 4)) for _ in range(20)]
    lists[0] = np.empty(0, int)
    lengths = np.array([len(own) for own in lists])
    padded = np.zeros((20, 5), int)
    for row, own in zip(padded, lists, strict=True):
        row[: len(own)] = own
    ids = rng.integers(0, 30, (20, 1))
    x = {"ids": ids, "sum": lists, "mean": (np.concatenate(lists), lengths),
         "attention": (padded, lengths)}  # fmt: skip
    model.layers[1].Q = rng.standard_normal((3, 3))
    e = model.layers[1].forward(model.prepared(x))
    E = model.layers[1].E
    for n, own in enumerate(lists):
        np.testing.assert_allclose(e[n, 0], E[ids[n, 0]])
        np.testing.assert_allclose(e[n, 1], E[own].sum(axis=0))
        if not len(own):
            assert not e[n, 1:].any()
            continue
        np.testing.assert_allclose(e[n, 2], E[own].mean(axis=0))
        score = np.exp(E[own] @ model.layers[1].Q[2])
        np.testing.assert_allclose(e[n, 3], score @ E[own] / score.sum())
    t = (ids[:, 0] > 10).astype(float)
    grads = {k: np.asarray(g) for k, g in model.gradient(x, t).items()}
    params = model.parameters()
    direction = {k: rng.standard_normal(p.shape) for k, p in params.items()}
    slope, losses = sum(np.sum(grads[k] * direction[k]) for k in params), []
    for step in (1e-6, -2e-6):
        for k, p in params.items():
            p += step * direction[k]
        losses.append(model.loss(x, t))
    np.testing.assert_allclose((losses[0] - losses[1]) / 2e-6, slope, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_the_bias_starts_from_the_share_of_clicks(name):
    small = fastdl.initializers.Normal(std=1e-9)
    model = make(name, embedding_initializer=small, initializer=small)
    model.start_from_rate(np.array([1, 0, 0, 0]))
    x, _ = data(10)
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], 0.25, atol=1e-6)


BAD = [
    ({"ids": np.full((2, 3), 1.0)}, TypeError, "ids has dtype float64"),
    ({"ids": np.array([[1, 7, 2]])}, ValueError, "field 'f1' has the id 7; its table has 7 rows"),
    ({"ids": np.array([[-1, 0, 2]])}, ValueError, "field 'a' has the id -1"),
    ({"ids": np.zeros((2, 4), int)}, ValueError, r"ids has shape \(2, 4\); expected \(N, 3\)"),
    ({"ids": np.zeros((0, 3), int)}, ValueError, "no rows"),
    ({"ids": np.array([[2**63, 0, 0]], np.uint64)}, ValueError, "beyond the range of int64"),
    ({"idz": 1}, ValueError, "expects ids"),
]


@pytest.mark.parametrize(("x", "error", "message"), BAD)
def test_bad_ids(x, error, message):
    with pytest.raises(error, match=message):
        make("DeepFM", 0).predict_proba(x)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((np.arange(3), np.array([4, -1])), "lengths cannot be negative"),
        ((np.arange(3), np.array([1, 1])), "add up to 2"),
        ((np.zeros((2, 3), int), np.array([4, 0])), "at most 3"),
        ([[1], [99]], "'s' has the id 99"),
    ],
)
def test_bad_sequences(given, message):
    spec = fastdl.FeatureSpec(sequences=[fastdl.SequenceField("s", 10)])
    with pytest.raises(ValueError, match=message):
        fastdl.DeepFM(spec, 2, (3,)).predict_proba(given)


def test_bad_options_and_specs():
    spec = fastdl.FeatureSpec(numeric=2, fields=[5])
    for options, error, message in [
        ({"cross_layers": 2}, TypeError, "DeepFM has no .*cross_layers"),
        ({"activation": "swish"}, ValueError, "activation is 'swish'"),
        ({"dropout": 1.0}, ValueError, "dropout"),
        ({"embedding_l2": 1e-3, "embedding_l2_in_batch": 1e-3}, ValueError, "not both"),
    ]:
        with pytest.raises(error, match=message):
            fastdl.DeepFM(spec, 4, **options)
    with pytest.raises(ValueError, match="needs a field with ids"):
        fastdl.DeepFM(fastdl.FeatureSpec(numeric=3))
    with pytest.raises(ValueError, match="names twice: a"):
        fastdl.FeatureSpec(fields=[fastdl.Field("a", 2), fastdl.Field("a", 3)])
    with pytest.raises(ValueError, match="their sizes are 2 and 3"):
        fastdl.FeatureSpec(fields=[fastdl.Field("a", 2, "t"), fastdl.Field("b", 3, "t")])
    other = fastdl.FeatureSpec(numeric=2, fields=[6])
    batch = other.batch({"numeric": np.zeros((1, 2)), "ids": np.zeros((1, 1), int)}, np.dtype("f4"))
    with pytest.raises(ValueError, match="another feature spec"):
        fastdl.DeepFM(spec, 4).predict_proba(batch)


def test_tables_larger_than_memory_are_refused_before_anything_is_allocated():
    spec = fastdl.FeatureSpec(fields=[2**40])
    with pytest.raises(MemoryError, match=r"1,099,511,627,776 rows of 16 numbers need .* GB"):
        fastdl.DeepFM(spec)


def test_large_ids_do_not_pass_through_floats():
    spec = fastdl.FeatureSpec(fields=[2**53 + 3])
    batch = spec.batch(np.array([[2**53 + 1]]), np.dtype("f4"))
    assert batch.rows()[0] == 2**53 + 1


@pytest.mark.parametrize("name", MODELS)
def test_a_grown_model_says_the_same_of_old_ids(name):
    model = make(name, batch_norm=True) if name in ("DNN", "DeepFM") else make(name)
    train(model, fastdl.Adam(0.01), 5)
    x, _ = data(20)
    spec = model.spec
    larger = fastdl.FeatureSpec(
        spec.numeric, [fastdl.Field(f.name, f.size + 3 * (i % 2), f.table)
                       for i, f in enumerate(spec.fields)], spec.sequences,
    )  # fmt: skip
    new = growth.grown(model, larger, np.random.default_rng(1))
    expected = model.predict_proba(x)
    np.testing.assert_allclose(new.predict_proba(x), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="none smaller"):
        growth.grown(new, spec)
    with pytest.raises(ValueError, match="same fields"):
        growth.grown(model, fastdl.FeatureSpec(fields=[5]))
