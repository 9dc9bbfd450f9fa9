"""Initializers: the original's random stream, moments, PyTorch's bounds, and bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl import initializers
from fastdl.initializers import (
    He,
    Initializer,
    Normal,
    Uniform,
    Xavier,
    from_description,
    get_initializer,
)

F64 = np.dtype(np.float64)
EXAMPLES: list[Initializer] = [
    He(),
    He("uniform", negative_slope=0.2),
    Xavier(),
    Xavier("normal", gain=1.5),
    Normal(0.5, 0.1),
    Uniform(-1, 2),
]


@pytest.fixture(autouse=True)
def _keep_global_state() -> Iterator[None]:
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4),
)
def test_he_is_the_originals_stream_bit_for_bit(seed: int, layers: list[tuple[int, int]]) -> None:
    np.random.seed(seed)
    expected = [np.random.randn(*shape) * np.sqrt(2.0 / shape[0]) for shape in layers]
    follows = np.random.get_state()
    for dtype in (np.float64, np.float32):
        np.random.seed(seed)
        for shape, weights in zip(layers, expected, strict=True):
            ours = He()(shape, *shape, None, dtype)
            assert ours.dtype == dtype and np.array_equal(ours, weights.astype(dtype))
        for a, b in zip(np.random.get_state(), follows, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize("initializer", EXAMPLES, ids=repr)
@pytest.mark.parametrize("seed", [None, 4])
def test_blocks_do_not_change_the_stream(
    initializer: Initializer, seed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw() -> np.ndarray:
        np.random.seed(11)
        rng = None if seed is None else np.random.default_rng(seed)
        return initializer((7, 3, 5), 15, 7, rng, F64)

    whole = draw()
    monkeypatch.setattr(initializers, "_BLOCK", 13)  # odd: randn makes normals in pairs
    assert np.array_equal(draw(), whole)
    assert len(np.unique(whole)) == whole.size


def test_a_generator_is_used_and_the_global_state_is_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr]
    ours = He()((4, 6), 4, 6, np.random.default_rng(3), F64)
    expected = np.random.default_rng(3).standard_normal((4, 6)) * np.sqrt(2.0 / 4)
    assert np.array_equal(ours, expected)
    assert np.random.get_state()[1].tolist() == before  # type: ignore[index, union-attr]
    ours = Uniform(-1, 2)((4, 6), 4, 6, np.random.default_rng(3), F64)
    assert np.array_equal(ours, np.random.default_rng(3).uniform(-1, 2, (4, 6)))


@pytest.mark.parametrize("seed", [None, 7])
@pytest.mark.parametrize(
    "initializer, mean, variance, bound",
    [
        (He(), 0.0, 2 / 300, math.inf),
        (He(negative_slope=0.5), 0.0, 2 / 1.25 / 300, math.inf),
        (He("uniform"), 0.0, 2 / 300, math.sqrt(6 / 300)),
        (Xavier("normal"), 0.0, 2 / 500, math.inf),
        (Xavier(), 0.0, 2 / 500, math.sqrt(6 / 500)),
        (Xavier(gain=2.0), 0.0, 8 / 500, 2 * math.sqrt(6 / 500)),
        (Normal(), 0.0, 1e-4, math.inf),
        (Normal(1.0, 0.5), 1.0, 0.25, math.inf),
        (Uniform(), 0.0, 0.01 / 12, 0.05),
    ],
)
def test_moments(
    initializer: Initializer, mean: float, variance: float, bound: float, seed: int | None
) -> None:
    np.random.seed(2)
    rng = None if seed is None else np.random.default_rng(seed)
    x = initializer((300, 200), 300, 200, rng, F64)
    # Five standard errors of the mean, and of the variance (kurtosis is at most the normal's).
    assert abs(x.mean() - mean) < 5 * math.sqrt(variance / x.size)
    assert abs(x.var() / variance - 1) < 5 * math.sqrt(2 / x.size)
    if bound < math.inf:
        assert 0.999 * bound < abs(x).max() <= bound
    else:
        assert abs(x - mean).max() > 3.5 * math.sqrt(variance)


def test_uniform_covers_its_own_interval() -> None:
    x = Uniform(2, 3)((100, 100), 1, 1, np.random.default_rng(1), F64)
    assert 2 <= x.min() < 2.001 and 2.999 < x.max() < 3
    assert abs(x.mean() - 2.5) < 5 * math.sqrt(1 / 12 / x.size)


@pytest.mark.parametrize("fan_in, fan_out", [(300, 200), (27, 64)])
def test_scale_equals_torch(fan_in: int, fan_out: int) -> None:
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(1)
    weight = torch.empty(fan_out, fan_in, dtype=torch.float64)
    init = torch.nn.init
    for ours, theirs in (
        (He("uniform"), lambda: init.kaiming_uniform_(weight, generator=generator)),
        (He("uniform", 0.3), lambda: init.kaiming_uniform_(weight, 0.3, generator=generator)),
        (Xavier(), lambda: init.xavier_uniform_(weight, generator=generator)),
        (Xavier(gain=1.7), lambda: init.xavier_uniform_(weight, 1.7, generator=generator)),
    ):
        theirs()
        x = ours((fan_in, fan_out), fan_in, fan_out, np.random.default_rng(1), F64)
        assert abs(x).max() == pytest.approx(abs(weight.numpy()).max(), rel=5e-3)
    for ours, theirs in (
        (He(), lambda: init.kaiming_normal_(weight, generator=generator)),
        (Xavier("normal"), lambda: init.xavier_normal_(weight, generator=generator)),
    ):
        theirs()
        x = ours((fan_in, fan_out), fan_in, fan_out, np.random.default_rng(1), F64)
        assert x.std() == pytest.approx(weight.numpy().std(), rel=10 / math.sqrt(2 * x.size))


@pytest.mark.parametrize("initializer", EXAMPLES, ids=repr)
def test_array_properties_and_description(initializer: Initializer) -> None:
    for dtype in (np.float32, np.float64, "float32"):
        x = initializer([3, 4], 3, 4, np.random.default_rng(1), dtype)
        assert x.shape == (3, 4) and x.dtype == dtype
        assert x.flags.c_contiguous and x.flags.writeable and x.flags.owndata
    single = initializer((3, 4), 3, 4, np.random.default_rng(1), np.float32)
    double = initializer((3, 4), 3, 4, np.random.default_rng(1), np.float64)
    assert np.array_equal(single, double.astype(np.float32))
    again = from_description(json.loads(json.dumps(initializer.describe())))
    assert again == initializer and type(again) is type(initializer)


def test_numpy_numbers_are_stored_as_plain_ones() -> None:
    description = Normal(np.float32(0.5), np.int64(2)).describe()  # type: ignore[arg-type]
    assert json.dumps(description["config"]) == '{"mean": 0.5, "std": 2.0}'


@pytest.mark.parametrize(
    "name, expected",
    [("he", He()), ("xavier", Xavier()), ("normal", Normal()), ("uniform", Uniform())],
)
def test_strings(name: str, expected: Initializer) -> None:
    assert get_initializer(name) == expected
    assert get_initializer(expected) is expected


def test_a_function_of_the_users_own() -> None:
    kept = np.arange(6.0)

    def mine(shape: Any, fan_in: int, fan_out: int, rng: Any, dtype: Any) -> np.ndarray:
        assert (shape, fan_in, fan_out, rng) == ((2, 3), 2, 3, None)
        return kept.reshape(shape)

    initializer = get_initializer(mine)
    x = initializer((2, 3), 2, 3, None, np.float32)
    assert x.dtype == np.float32 and x.tolist() == [[0, 1, 2], [3, 4, 5]]
    x64 = initializer((2, 3), 2, 3, None, np.float64)
    x64[...] = -1
    assert kept.tolist() == list(range(6))

    restored = from_description(json.loads(json.dumps(initializer.describe())))
    assert restored.describe() == initializer.describe()
    with pytest.raises(ValueError, match="mine was a function"):
        restored((2, 3), 2, 3, None, np.float32)


@pytest.mark.parametrize("made", [np.zeros((3, 2)), 0.0, np.full((2, 3), "a")])
def test_a_function_with_a_wrong_result(made: object) -> None:
    initializer = get_initializer(lambda *_: made)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match=r"returned shape .*; expected numbers of shape \(2, 3\)"):
        initializer((2, 3), 2, 3, None, np.float32)


def test_an_initializer_class_of_the_users_own() -> None:
    class Ones(Initializer):
        def _make(self, shape, fan_in, fan_out, rng, dtype):  # type: ignore[no-untyped-def]
            return np.ones(shape, dtype)

    assert get_initializer(Ones())((2,), 2, 1, None, F64).tolist() == [1, 1]
    with pytest.raises(ValueError, match="Unknown initializer 'Ones'; known are He"):
        from_description(Ones().describe())


@pytest.mark.parametrize("initializer", EXAMPLES, ids=repr)
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (((2, 0), 2, 1, None, F64), ValueError, "shape's sizes must be 1 or more, got 0"),
        (((2, -3), 2, 1, None, F64), ValueError, "got -3"),
        (((2, 2.0), 2, 1, None, F64), TypeError, "shape's sizes must be an int, got 2.0"),
        (((2, True), 2, 1, None, F64), TypeError, "must be an int, got True"),
        ((5, 2, 1, None, F64), TypeError, "shape must be a tuple of ints, got 5"),
        (("ab", 2, 1, None, F64), TypeError, "shape must be a tuple"),
        (((2, 3), 0, 1, None, F64), ValueError, "fan_in must be 1 or more, got 0"),
        (((2, 3), 2, 1.5, None, F64), TypeError, "fan_out must be an int, got 1.5"),
        (((2, 3), 2, 3, 42, F64), TypeError, r"got int. Make one with np.random.default_rng"),
        (((2, 3), 2, 3, np.random.RandomState(1), F64), TypeError, "got RandomState"),
        (((2, 3), 2, 3, None, np.int64), TypeError, "float dtype, got int64"),
        (((2, 3), 2, 3, None, np.complex64), TypeError, "float dtype, got complex64"),
    ],
)
def test_bad_calls(
    initializer: Initializer, arguments: tuple[Any, ...], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        initializer(*arguments)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: He("gauss"), ValueError, "He: distribution must be .* got 'gauss'"),
        (lambda: He(2.0), ValueError, "got 2.0"),
        (lambda: He(negative_slope=math.nan), ValueError, "negative_slope must be finite"),
        (lambda: He(negative_slope="1"), TypeError, "negative_slope must be a number"),
        (lambda: Xavier("he"), ValueError, "Xavier: distribution"),
        (lambda: Xavier(gain=0), ValueError, "gain must be finite and above 0, got 0"),
        (lambda: Xavier(gain=True), TypeError, "gain must be a number, got True"),
        (lambda: Normal(std=0), ValueError, "std must be finite and above 0"),
        (lambda: Normal(std=-1), ValueError, "std must be finite and above 0, got -1"),
        (lambda: Normal(mean=math.inf), ValueError, "mean must be finite, got inf"),
        (lambda: Uniform(1, 1), ValueError, "low must be below high, got 1.0 and 1.0"),
        (lambda: Uniform(-1e308, 1e308), ValueError, "low must be below high"),
        (lambda: Uniform(high=None), TypeError, "high must be a number, got None"),
        (lambda: get_initializer("hee"), ValueError, "Unknown initializer 'hee'; expected \"he\""),
        (lambda: get_initializer(He), TypeError, r"pass an instance, He\(\)"),
        (lambda: get_initializer(int), TypeError, "must be"),
        (lambda: get_initializer(None), TypeError, "got None"),
        (lambda: get_initializer(0.1), TypeError, "got 0.1"),
        (lambda: from_description({}), ValueError, "description must be"),
        (lambda: from_description([1]), ValueError, "description must be"),
        (lambda: from_description({"class": "os", "config": {}}), ValueError, "Unknown init"),
        (lambda: from_description({"class": [], "config": {}}), ValueError, "Unknown init"),
        (
            lambda: from_description({"class": "He", "config": 3}),
            TypeError,
            "config must be a dict",
        ),
        (
            lambda: from_description({"class": "Normal", "config": {"x": 2}}),
            ValueError,
            r"Normal has no option \['x'\]",
        ),
    ],
)
def test_bad_options(make: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
