"""kernels/math.py against its NumPy twins, special values, types, vectorisation, JIT off."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys

import numba
import numpy as np
import pytest
from fastdl.kernels import math as kernels
from fastdl.kernels.jit import FASTMATH, numba_is_compiling
from fastdl.kernels.reference import math as twins
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

NAMES = tuple(name.removesuffix("_elementwise") for name in kernels.KERNELS)
compiled_only = pytest.mark.skipif(not numba_is_compiling(), reason="is about compiled code")
inf, nan = np.inf, np.nan

SPECIALS = {
    "exp": [(inf, inf), (-inf, 0), (nan, nan), (0, 1), (-0.0, 1), (1000, inf), (-1000, 0)],
    "log": [(0, -inf), (-0.0, -inf), (-1, nan), (-inf, nan), (inf, inf), (nan, nan), (1, 0)],
    "tanh": [(inf, 1), (-inf, -1), (nan, nan), (0, 0), (-0.0, -0.0), (50, 1), (-50, -1)],
    "sigmoid": [(inf, 1), (-inf, 0), (nan, nan), (0, 0.5), (-0.0, 0.5), (1000, 1), (-1000, 0)],
    "softplus": [(inf, inf), (-inf, 0), (nan, nan), (1000, 1000), (-1000, 0)],
    "erf": [(inf, 1), (-inf, -1), (nan, nan), (0, 0), (-0.0, -0.0), (7, 1), (-7, -1)],
}


def run(module, name, x):
    out = np.full_like(x, np.nan)
    with np.errstate(all="ignore"):  # NumPy's warnings; with the JIT off the kernel's own, too
        getattr(module, f"{name}_elementwise")(x, out)
    return out


def grid(dtype):
    """Numbers of all magnitudes and both signs, subnormals included, of an odd length."""
    info = np.finfo(dtype)
    x = np.logspace(np.log10(float(info.tiny)) - 4, 3, 601)
    return np.concatenate([-x, [0], x, np.linspace(-20, 20, 402)]).astype(dtype)


def limits(dtype):
    """A few ulp: the kernel's own error and the twin's; tiny steps below the smallest normal."""
    info = np.finfo(dtype)
    return {"rtol": 8 * float(info.eps), "atol": 4 * float(info.smallest_subnormal)}


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_signatures_are_equal(name):
    kernel = getattr(kernels, name)
    mine = inspect.signature(getattr(kernel, "py_func", kernel))
    assert list(mine.parameters) == list(inspect.signature(getattr(twins, name)).parameters)


def test_special_values_are_given_for_every_function():
    assert set(SPECIALS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_special_values(name, dtype):
    x, expected = np.array(SPECIALS[name]).T.astype(dtype)
    for module in (kernels, twins):
        out = run(module, name, x)
        np.testing.assert_array_equal(out, expected)
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(out)[number], np.signbit(expected)[number])


@pytest.mark.parametrize("name", NAMES)
def test_equals_its_twin(name, dtype):
    x = grid(dtype)
    out, expected = run(kernels, name, x), run(twins, name, x)
    assert np.isfinite(expected).sum() > x.size // 3
    np.testing.assert_allclose(out, expected, **limits(dtype))


@pytest.mark.parametrize("name", NAMES)
@given(x=arrays(np.float32, st.integers(0, 40), elements=st.floats(width=32)))
@settings(max_examples=60, deadline=None)
def test_equals_its_twin_for_any_float32(name, x):
    np.testing.assert_allclose(run(kernels, name, x), run(twins, name, x), **limits(np.float32))


@pytest.mark.parametrize("name", NAMES)
def test_empty_arrays(name, dtype):
    assert run(kernels, name, np.empty(0, dtype)).size == 0


def test_tiny_arguments_keep_their_relative_accuracy(dtype):
    tiny = np.array([1e-30, -1e-20, 3e-10], dtype)
    np.testing.assert_array_equal(run(kernels, "tanh", tiny), tiny)
    low = np.array([-40, -60, -85], dtype)  # below log(eps): sigmoid and softplus are exp
    for name in ("sigmoid", "softplus"):
        np.testing.assert_allclose(
            run(kernels, name, low), np.exp(low.astype(np.float64)), rtol=3 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("exp", 0, inf), ("tanh", -1, 1), ("sigmoid", 0, 1), ("softplus", 0, inf), ("erf", -1, 1)],
)
def test_results_stay_in_the_functions_range(name, low, high, dtype, rng):
    patterns = rng.bytes(20_000 * dtype.itemsize)
    x = np.concatenate([np.frombuffer(patterns, dtype), rng.uniform(-10, 10, 20_000).astype(dtype)])
    x = x[:: 1 if numba_is_compiling() else 100]
    out = run(kernels, name, x)
    number = ~np.isnan(x)
    assert ((low <= out[number]) & (out[number] <= high)).all()
    assert np.isnan(out[~number]).all() and number.sum() > x.size // 2


@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_are_odd_to_the_bit(name, dtype):
    x = grid(dtype)
    np.testing.assert_array_equal(run(kernels, name, -x), -run(kernels, name, x))


@compiled_only
@pytest.mark.parametrize("name", NAMES)
def test_bits_do_not_depend_on_the_place_in_the_array(name, dtype):
    """The vector body, its remainder and a single element round alike."""
    x = grid(dtype)[::3]
    whole = run(kernels, name, x)
    single = np.concatenate([run(kernels, name, x[i : i + 1]) for i in range(x.size)])
    assert whole.tobytes() == single.tobytes()


def llvm_of(name, dtype):
    """LLVM of a fresh compilation; a kernel from the disk cache cannot be inspected."""
    function = getattr(kernels, f"{name}_elementwise").py_func
    fresh = numba.njit(error_model="numpy", fastmath=FASTMATH)(function)
    fresh(np.ones(3, dtype), np.ones(3, dtype))
    return "\n".join(fresh.inspect_llvm().values())


@compiled_only
@pytest.mark.parametrize("name", NAMES)
def test_loops_vectorise_and_nothing_is_widened(name, dtype):
    """Vector multiply-adds, no call left in the loop, and no float64 in the float32 kernel."""
    text = llvm_of(name, dtype)
    kind = "float" if dtype == np.float32 else "double"
    assert re.search(rf"<\d+ x {kind}> @llvm\.fmuladd", text)
    if dtype == np.float32:
        assert "fpext" not in text
        assert not re.search(r"f(add|sub|mul|div) .*double", text)
    called = set(re.findall(r"call [^@\n]*@([\w.]+)\(", text))
    assert not {c for c in called if re.fullmatch(r"(exp|log|tanh|erf|copysign|fma)f?", c)}


@compiled_only
def test_an_integer_argument_is_refused():
    with pytest.raises(numba.TypingError, match="int64"):
        kernels.exp_elementwise(np.arange(3), np.empty(3))


WITHOUT_JIT = """
import numpy as np
from fastdl.kernels import math as kernels
from fastdl.kernels.reference import math as twins

assert not hasattr(kernels.exp_elementwise, "py_func"), "the JIT is on"
compared = 0
for real in (np.float32, np.float64):
    x = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 0.3, -0.3, 1, -1, 5, -5, 0.7,
                  -0.7, 30, -30, 88.5, -88.5, -100, 800, -800, 1e30, -1e30], real)
    for name in kernels.KERNELS:
        out, expected = np.full_like(x, 7), np.full_like(x, 8)
        with np.errstate(all="ignore"):
            getattr(kernels, name)(x, out)
            getattr(twins, name)(x, expected)
        assert out.dtype == real
        info = np.finfo(real)
        np.testing.assert_allclose(
            out, expected, rtol=8 * info.eps, atol=4 * info.smallest_subnormal, err_msg=name
        )
        number = ~np.isnan(out)
        assert (np.signbit(out) == np.signbit(expected))[number].all(), name
        compared += number.sum()
print("compared", compared)
"""


def test_with_the_jit_off():
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_JIT],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("compared ") and int(result.stdout.split()[1]) > 200
