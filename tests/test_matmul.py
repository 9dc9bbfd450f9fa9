"""matmul and matmul_backward: np.matmul, gradients, PyTorch, layouts, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import gradient_check

from fastdl.matmul import matmul, matmul_backward

# every mix of 2-D, one matrix and several matrices
SHAPES = [
    ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4)),
    ((1, 2, 3), (5, 3, 4)), ((5, 2, 3), (1, 3, 4)), ((1, 2, 3), (3, 4)), ((2, 3), (1, 3, 4)),
    ((1, 1, 1), (1, 1, 1)), ((1, 7), (7, 1)), ((7, 1), (1, 7)), ((300, 20, 8), (8, 9)),
    ((20, 8), (300, 8, 9)), ((600, 30), (30, 40)),
]  # fmt: skip


def limits(dtype):
    return {"rtol": 1e-4, "atol": 1e-3} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-11}


def operands(first, second, dtype, rng):
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in (first, second))
    return a, b, rng.standard_normal(np.matmul(a, b).shape).astype(dtype)


@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_is_numpys(first, second, dtype, rng):
    a, b, _ = operands(first, second, dtype, rng)
    out, expected = matmul(a, b), np.matmul(a, b)
    assert out.shape == expected.shape and out.dtype == dtype
    np.testing.assert_allclose(out, expected, **limits(dtype))


@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_gradients(first, second, rng):
    a, b, dout = operands(first, second, "float64", rng)
    da, db = matmul_backward(a, b, dout)
    assert da.shape == a.shape and db.shape == b.shape
    gradient_check(lambda: float(np.sum(matmul(a, b) * dout)), [a, b], [da, db], rng)


@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_is_pytorchs(first, second, dtype, rng):
    torch = pytest.importorskip("torch")
    a, b, dout = operands(first, second, dtype, rng)
    tensors = [torch.tensor(x, requires_grad=True) for x in (a, b)]
    expected = tensors[0] @ tensors[1]
    expected.backward(torch.tensor(dout))
    np.testing.assert_allclose(matmul(a, b), expected.detach().numpy(), **limits(dtype))
    for mine, tensor in zip(matmul_backward(a, b, dout), tensors, strict=True):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), **limits(dtype))


def laid_out(x, layout):
    """The same values in another memory layout."""
    if layout == "fortran":
        return np.asfortranarray(x)
    if layout == "turned":
        return x.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    if layout == "strided":
        return np.repeat(x, 3, axis=-1)[..., ::3]
    if layout == "broadcast" and x.ndim == 3:
        return np.broadcast_to(x[:1], x.shape)
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x


LAYOUTS = st.sampled_from(["plain", "fortran", "turned", "strided", "broadcast", "read-only"])


@settings(max_examples=60, deadline=None)
@given(
    batch=st.sampled_from([((), ()), ((3,), ()), ((), (3,)), ((3,), (3,)), ((1,), (3,))]),
    sides=st.tuples(*(st.integers(1, 9) for _ in range(3))),
    layouts=st.tuples(LAYOUTS, LAYOUTS, LAYOUTS),
)
def test_any_shape_and_layout(batch, sides, layouts):
    M, K, N = sides
    rng = np.random.default_rng(M)
    given = operands((*batch[0], M, K), (*batch[1], K, N), "float64", rng)
    a, b, dout = (laid_out(x, layout) for x, layout in zip(given, layouts, strict=True))
    before = [x.copy() for x in (a, b, dout)]
    np.testing.assert_allclose(matmul(a, b), np.matmul(a, b), rtol=1e-12, atol=1e-12)
    da, db = matmul_backward(a, b, dout)
    full_a, full_b = dout @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ dout
    for mine, full in ((da, full_a), (db, full_b)):
        expected = full.reshape(-1, *mine.shape[-2:])
        if mine.ndim == 2 or len(mine) == 1:
            expected = expected.sum(axis=0, keepdims=True)
        np.testing.assert_allclose(mine, expected.reshape(mine.shape), rtol=1e-12, atol=1e-12)
    for x, copy in zip((a, b, dout), before, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_results_are_new_arrays(rng):
    a, b, dout = operands((3, 2, 4), (3, 4, 5), "float32", rng)
    held = [matmul(a, b), *matmul_backward(a, b, dout)]
    before = [x.copy() for x in held]
    matmul(2 * a, b)
    matmul_backward(a, 2 * b, 3 * dout)
    for x, copy in zip(held, before, strict=True):
        np.testing.assert_array_equal(x, copy)


def test_lists_are_float64():
    out = matmul([[1.0, 2.0]], [[3.0], [4.0]])
    assert out.tolist() == [[11.0]] and out.dtype == np.float64


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [((2, 3), (2, 3), r"\(2, 3\) and b \(2, 3\) cannot be multiplied"),
     ((2, 2, 3), (3, 3, 4), "same number of matrices"), ((3,), (3, 4), r"a has shape \(3,\)"),
     ((2, 3), (1, 1, 3, 4), "b has shape"), ((0, 3), (3, 4), "a is empty"),
     ((2, 3), (0, 3, 4), "b is empty")],
)  # fmt: skip
def test_shapes_that_do_not_fit(a, b, message):
    a, b = np.ones(a), np.ones(b)
    with pytest.raises(ValueError, match=message):
        matmul(a, b)
    with pytest.raises(ValueError, match=message):
        matmul_backward(a, b, np.ones((2, 4)))


@pytest.mark.parametrize("shape", [(2, 4), (5, 4, 2), (1, 2, 4), (40,)])
def test_gradients_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="dout has shape"):
        matmul_backward(np.ones((5, 2, 3)), np.ones((3, 4)), np.ones(shape))


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "complex128", "object", ">f8"])
def test_nothing_is_cast(which, dtype):
    arrays = [np.ones((2, 2)) for _ in range(3)]
    arrays[which] = arrays[which].astype(dtype)
    with pytest.raises(TypeError, match=r"convert .*(astype|first)"):
        matmul_backward(*arrays)
    if which < 2:
        with pytest.raises(TypeError, match=r"convert .*(astype|first)"):
            matmul(*arrays[:2])


def test_ragged_lists():
    with pytest.raises(ValueError, match="b is not a regular array"):
        matmul(np.ones((2, 2)), [[1.0], [1.0, 2.0]])
