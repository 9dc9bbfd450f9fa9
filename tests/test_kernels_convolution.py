"""Kernels of convolution: twins, PyTorch, threads, the ends of arrays, NaN and infinity."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from fastdl.kernels import dense
from guarded import guarded
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_kernels_twins import both

NAMES = {
    "forward": ("convolution", "conv2d_forward"),
    "data": ("convolution_data", "conv2d_backward_data"),
    "weights": ("convolution_weights", "conv2d_backward_weights"),
}


class Case(NamedTuple):
    """Sizes of a convolution; ``padding`` is top and left, ``more`` what is added below, right."""

    N: int = 2
    size: tuple[int, int] = (9, 8)
    groups: int = 1
    depth: int = 3  # channels of a group
    columns: int = 5  # filters of a group
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    more: tuple[int, int] = (0, 0)

    @property
    def outputs(self):
        axes = zip(
            self.size, self.padding, self.more, self.dilation, self.kernel, self.stride, strict=True
        )
        return tuple((n + 2 * p + m - d * (k - 1) - 1) // s + 1 for n, p, m, d, k, s in axes)

    @property
    def geometry(self):
        return self.stride, self.padding, self.dilation, self.groups

    def arrays(self, rng, bias=True):
        """x, W, b and dout."""
        C, K = self.groups * self.depth, self.groups * self.columns
        shapes = (
            (self.N, *self.size, C), (K, self.depth, *self.kernel), (K if bias else 0,),
            (self.N, *self.outputs, K),
        )  # fmt: skip
        return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def results(side, case, x, W, b, dout, relu=False, place=lambda array: array):
    """out, dx, dW and db of the kernels (side 0) or twins (1), into destinations of NaN."""
    forward, data, weights = (both(*name)[side] for name in NAMES.values())
    x, W, b, dout, out, dx, dW, db = [
        place(array)
        for array in (x, W, b, dout, *(np.full_like(a, np.nan) for a in (dout, x, W, b)))
    ]
    forward(x, W, b, *case.geometry, relu, out)
    data(W, dout, *case.geometry, dx)
    weights(x, dout, *case.geometry, dW, db)
    return out, dx, dW, db


def near(found, expected, limit=1e-5):
    """Equal but for rounding: within ``limit`` of the largest number."""
    for name, mine, theirs in zip(("out", "dx", "dW", "db"), found, expected, strict=True):
        scale = np.abs(theirs).max(initial=1)
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=limit * scale, err_msg=name)


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
cases = st.builds(
    Case,
    N=st.integers(1, 3),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    groups=st.sampled_from([1, 1, 2, 3]),
    depth=st.sampled_from([1, 2, 3, 16, 19]),
    columns=st.sampled_from([1, 2, 5, 16, 17, 40]),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=pairs,
    padding=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    dilation=pairs,
    more=st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
depthwise = st.builds(
    lambda case, C: case._replace(groups=C, depth=1, columns=1),
    cases,
    st.sampled_from([2, 3, 16, 20, 33]),
)


@settings(max_examples=80, deadline=None)
@given(case=st.one_of(cases, depthwise), relu=st.booleans(), bias=st.booleans(),
       seed=st.integers(0, 99))  # fmt: skip
def test_is_the_twins(case, relu, bias, seed):
    assume(min(case.outputs) > 0)
    given = case.arrays(np.random.default_rng(seed), bias)
    before = [array.copy() for array in given]
    near(results(0, case, *given, relu), results(1, case, *given, relu))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(given, before, strict=True))


LARGE = [  # enough work for two threads, and more than one unit of pixels
    Case(9, (14, 15), 1, 20, 33, padding=(1, 1)),
    Case(3, (28, 31), 1, 3, 40, (5, 4), (2, 3), (2, 1)),
    Case(600, (2, 2), 1, 70, 16, (1, 1)),
    Case(4, (28, 28), 2, 8, 24, dilation=(2, 1), more=(1, 2)),
    Case(5, (28, 28), 40, 1, 1, padding=(1, 1)),
    Case(13, (29, 28), 32, 1, 1, (5, 3), (2, 2)),
    Case(2, (9, 9), 1, 130, 300, padding=(1, 1)),
    *(
        Case(20, (31, 30), 1, 3, columns, (3, 3), stride, padding)  # see tile_taps
        for columns in (5, 16, 40)
        for stride, padding in (((1, 1), (1, 1)), ((2, 1), (0, 0)))
    ),
]
SMALL = [
    Case(1, (1, 1), kernel=(1, 1), columns=1, depth=1),
    Case(size=(2, 3), kernel=(5, 5), padding=(2, 2)),
    Case(kernel=(1, 1), stride=(3, 2)),
    Case(kernel=(2, 4), padding=(0, 1), more=(1, 1)),
    Case(kernel=(7, 7), padding=(3, 3), stride=(2, 2), depth=1, columns=17),
    Case(groups=20, depth=1, columns=1, dilation=(2, 2)),
    Case(groups=4, depth=1, columns=2, stride=(2, 1)),
    Case(groups=16, depth=1, columns=1),
]


def test_large_cases_are_spread_over_threads():
    for case in LARGE:
        K = case.groups * case.columns
        products = np.prod((case.N, *case.outputs, K, case.depth, *case.kernel))
        assert products >= dense.SMALL


@pytest.mark.parametrize("case", LARGE, ids=str)
def test_large_cases_on_one_thread_and_two(case, rng, two_thread_counts):
    given = case.arrays(rng)
    one, two = two_thread_counts(lambda: results(0, case, *given, relu=True))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))
    near(one, results(1, case, *given, relu=True))


@pytest.mark.parametrize("case", LARGE[:6] + SMALL, ids=str)
def test_is_pytorchs(case, rng):
    torch = pytest.importorskip("torch")
    given = case.arrays(rng)
    x, W, b, dout = (torch.tensor(array.astype("float64")) for array in given)
    x, dout = (images.permute(0, 3, 1, 2) for images in (x, dout))
    for tensor in (x, W, b):
        tensor.requires_grad_()
    padded = torch.nn.functional.pad(x, (0, case.more[1], 0, case.more[0]))
    out = torch.nn.functional.conv2d(padded, W, b, *case.geometry)
    out.backward(dout)
    expected = [out.detach().permute(0, 2, 3, 1), x.grad.permute(0, 2, 3, 1), W.grad, b.grad]
    near(results(0, case, *given), [tensor.numpy() for tensor in expected])


# Where units end within a vector of the array's end, and where x is read as it lies.
ENDS = [
    *SMALL,
    *(Case(1, (5, 7), 1, depth, columns, kernel) for depth in (1, 3, 16) for columns in (1, 15, 33)
      for kernel in ((1, 1), (3, 2))),
    *(Case(1, (6, 5), C, 1, 1, stride=(1, 2)) for C in (1, 15, 16, 17, 48)),
    Case(2, (5, 5), 3, 2, 17, stride=(2, 2)),
    Case(1, (57, 8), 1, 1024, 1, (1, 1)),  # the last unit is smaller than a vector of dout
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")
@pytest.mark.parametrize("end", [True, False])
def test_nothing_beyond_the_arrays_is_touched(end, rng):
    for case in ENDS:
        given = case.arrays(rng)
        found = results(0, case, *given, place=lambda array: guarded(array, end))
        near(found, results(1, case, *given))


@pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")
@pytest.mark.parametrize(("end", "shift"), [(True, 4), (False, -4)])
def test_a_touch_beyond_a_guarded_array_is_a_crash(end, shift):
    code = (
        "import ctypes, numpy as np; from guarded import guarded\n"
        f"a = guarded(np.ones(5, 'float32'), {end}); edge = a.ctypes.data + {16 if end else 0}\n"
        "print(ctypes.c_float.from_address(edge).value, flush=True)\n"
        f"print(ctypes.c_float.from_address(edge + {shift}).value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=__file__.rpartition("/")[0], capture_output=True
    )
    assert done.stdout.strip() == b"1.0" and done.returncode < 0


@pytest.mark.parametrize("case", [
    Case(1, (9, 9), 2, 3, 5, padding=(1, 1)),
    Case(1, (9, 9), 1, 3, 17, (5, 3), (2, 2), (2, 1)),
    Case(1, (9, 9), 20, 1, 1, padding=(1, 1)),
    Case(1, (9, 9), 16, 1, 1),
])  # fmt: skip
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_go_where_they_should(case, value, rng):
    x, W, b, dout = case.arrays(rng)
    x[0, 4, 4, 1] = value
    with np.errstate(invalid="ignore"):
        found = results(0, case, x, W, b, dout)
        expected = results(1, case, x, W, b, dout)
    touched = [~np.isfinite(array) for array in found]
    for mine, theirs in zip(touched, expected, strict=True):
        np.testing.assert_array_equal(mine, ~np.isfinite(theirs))
    reached = touched[0].any(axis=(0, 1, 2))  # the filters of channel 1's group, and no other
    assert reached.tolist() == [k // case.columns == 1 // case.depth for k in range(reached.size)]
    assert not touched[1].any() and not touched[0].all() and touched[0].any()
    assert touched[2][:, 1 % case.depth].any() and not touched[3].any()
    near([a[np.isfinite(a)] for a in found], [a[np.isfinite(a)] for a in expected])
    dout[0, 2, 2, 0] = value
    with np.errstate(invalid="ignore"):
        found, expected = (results(side, case, *case.arrays(rng)[:3], dout) for side in (0, 1))
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(~np.isfinite(mine), ~np.isfinite(theirs))


def narrow_results(side, case, x, W, b, dout, relu=False, place=lambda array: array):
    """As ``results``, by the kernels of depthwise 3 x 3 filters."""
    forward, data, weights = (
        both("depthwise", f"depthwise_{name}")[side]
        for name in ("forward", "backward_data", "backward_weights")
    )
    stride, (top, left) = case.stride[0], case.padding
    x, W, b, dout, out, dx, dW, db = [
        place(array)
        for array in (x, W, b, dout, *(np.full_like(a, np.nan) for a in (dout, x, W, b)))
    ]
    forward(stride, x, W, b, False, case.padding, relu, out)
    if stride == 2:
        data(W, dout, case.padding, dx)
    else:
        forward(1, dout, W, b[:0], True, (2 - top, 2 - left), False, dx)
    weights(stride, x, dout, case.padding, dW, db)
    return out, dx, dW, db


narrow = st.builds(
    lambda case, C, s, p: case._replace(
        groups=C, depth=1, columns=1, kernel=(3, 3), dilation=(1, 1), stride=(s, s), padding=p
    ),
    cases,
    st.sampled_from([2, 3, 16, 20, 33]),
    st.integers(1, 2),
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
)
NARROW_LARGE = [
    Case(30, (32, 31), 40, 1, 1, padding=(1, 1)),
    Case(9, (57, 56), 24, 1, 1, stride=(2, 2), padding=(1, 1)),
]


@settings(max_examples=100, deadline=None)
@given(case=narrow, relu=st.booleans(), bias=st.booleans(), seed=st.integers(0, 99))
def test_narrow_is_the_twins(case, relu, bias, seed):
    assume(min(case.outputs) > 0)
    given = case.arrays(np.random.default_rng(seed), bias)
    before = [array.copy() for array in given]
    mine = narrow_results(0, case, *given, relu, guarded)
    near(mine, narrow_results(1, case, *given, relu))
    near(mine, results(0, case, *given, relu))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(given, before, strict=True))


@pytest.mark.parametrize("case", NARROW_LARGE, ids=str)
def test_narrow_of_large_arrays_on_two_thread_counts(case, rng, two_thread_counts):
    given = case.arrays(rng)
    one, two = two_thread_counts(lambda: narrow_results(0, case, *given))
    near(one, narrow_results(1, case, *given))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_narrow_keeps_a_bad_number_in_its_channel_and_reach(value, stride, rng):
    case = Case(2, (9, 11), 20, 1, 1, stride=(stride, stride), padding=(1, 1))
    x, W, b, dout = case.arrays(rng)
    x[1, 8, 10, 3] = value
    with np.errstate(invalid="ignore"):
        expected = narrow_results(1, case, x, W, b, dout)
    found = narrow_results(0, case, x, W, b, dout)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.isfinite(mine), np.isfinite(theirs))


few = st.builds(
    lambda case, C, K: case._replace(groups=1, depth=C, columns=K),
    cases,
    st.integers(1, 4),
    st.sampled_from([1, 5, 16, 40]),
)
FEW_LARGE = [
    Case(70, (28, 27), 1, 1, 20, (5, 4)),
    Case(3, (120, 131), 1, 3, 16, (7, 7), (2, 2), (3, 3)),
    Case(2, (90, 600), 1, 2, 9, (3, 3), (1, 1), (1, 1)),
]


def few_channels(side, case, W, dout, place=lambda array: array):
    dx = place(np.full((case.N, *case.size, case.depth), np.nan, W.dtype))
    stride, padding, dilation, _ = case.geometry
    kernel = both("few_channels", "few_channels_backward_data")[side]
    kernel(place(W), place(dout), stride, padding, dilation, dx)
    return dx


@settings(max_examples=80, deadline=None)
@given(case=few, seed=st.integers(0, 99))
def test_few_channels_is_the_twin(case, seed):
    assume(min(case.outputs) > 0)
    _, W, _, dout = case.arrays(np.random.default_rng(seed))
    mine, twin = few_channels(0, case, W, dout, guarded), few_channels(1, case, W, dout)
    np.testing.assert_allclose(mine, twin, rtol=0, atol=1e-5 * max(1, np.abs(twin).max()))


@pytest.mark.parametrize("case", FEW_LARGE, ids=str)
def test_few_channels_of_large_arrays_on_two_thread_counts(case, rng, two_thread_counts):
    _, W, _, dout = case.arrays(rng)
    one, two = two_thread_counts(lambda: few_channels(0, case, W, dout))
    twin = few_channels(1, case, W, dout)
    np.testing.assert_allclose(one, twin, rtol=0, atol=1e-5 * np.abs(twin).max())
    assert one.tobytes() == two.tobytes()
