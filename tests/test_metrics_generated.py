"""Metrics of generated rows: closed forms, slow versions, scipy's and scikit-learn's parts."""

from __future__ import annotations

import numpy as np
import pytest

from fastdl.metrics import generated
from fastdl.metrics.generated import (
    class_shares,
    frechet_distance,
    kernel_distance,
    mode_counts,
    nearest,
    neighbour_scores,
)
from fastdl.metrics.neighbours import nearest_in_parts


def exactly(rng, rows, mean, covariance):
    """Rows whose sample mean and covariance are these, up to rounding."""
    x = rng.standard_normal((rows, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def slow_distances(a, b):
    return np.array([[np.sqrt(np.sum((p - q) ** 2)) for q in b] for p in a])


# ---------------------------------------------------------------------------- Fréchet
def test_frechet_of_known_gaussians(rng):
    """For covariances that commute: |m_a - m_b|^2 + sum (sqrt(l_a) - sqrt(l_b))^2."""
    a = exactly(rng, 50, np.array([1.0, 2, 3]), np.diag([1.0, 4, 9]))
    b = exactly(rng, 60, np.array([1.0, 0, 4]), np.diag([4.0, 4, 1]))
    np.testing.assert_allclose(frechet_distance(a, b), 5 + 1 + 0 + 4, rtol=1e-10)
    np.testing.assert_allclose(frechet_distance(b, a), 10, rtol=1e-10)


def test_frechet_against_scipy(rng):
    linalg = pytest.importorskip("scipy.linalg")
    a = rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12))
    b = rng.standard_normal((200, 12)) @ rng.standard_normal((12, 12)) + rng.random(12)
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    gap = a.mean(axis=0) - b.mean(axis=0)
    expected = gap @ gap + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    np.testing.assert_allclose(frechet_distance(a, b), expected, rtol=1e-8)
    np.testing.assert_allclose(
        frechet_distance(a.astype(np.float32), b.astype(np.float32)), expected, rtol=1e-5
    )


def test_frechet_of_constant_and_dependent_features(rng):
    """Some units of a network are always 0: roots of eigenvalues would be wrong by 1e-8."""
    x = rng.standard_normal((100, 6))
    a = np.c_[x, np.zeros(100), x[:, 0] - x[:, 1], 1e3 + 0 * x[:, 0]]
    assert frechet_distance(a, a[::-1]) < 1e-10
    moved = 0.5 * (np.arange(9) == 6)
    np.testing.assert_allclose(frechet_distance(a, a + moved), 0.25)


# ---------------------------------------------------------------------------- kernel
def test_kernel_distance_is_the_sum_over_pairs(rng):
    x, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 3)) + 1

    def k(p, q):
        return (p @ q / 3 + 1) ** 3

    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    expected = (
        np.mean([k(x[i], x[j]) for i, j in pairs])
        + np.mean([k(y[i], y[j]) for i, j in pairs])
        - 2 * np.mean([k(p, q) for p in x for q in y])
    )
    np.testing.assert_allclose(kernel_distance(x, y), expected, rtol=1e-12)
    np.testing.assert_allclose(kernel_distance(y, x), expected, rtol=1e-12)


def test_kernel_distance_is_unbiased(rng):
    """In one dimension, of N(0, 1) and N(1, 1): E k = 1 + 3 E xy + 3 E x²y² + E x³y³."""
    draws = [
        kernel_distance(rng.standard_normal((20, 1)), rng.standard_normal((20, 1)) + shift)
        for shift in (0, 1)
        for _ in range(3000)
    ]
    same, apart = np.reshape(draws, (2, 3000))
    first, second = np.array([0, 1, 0]), np.array([1, 2, 4])  # moments 1 to 3 of either
    expected = np.sum(np.array([3, 3, 1]) * (first - second) ** 2)
    for values, true in ((same, 0), (apart, expected)):
        assert abs(values.mean() - true) < 4 * values.std() / np.sqrt(3000)
    assert same.min() < 0


def test_kernel_distance_draws_subsets(rng):
    x, y = rng.standard_normal((300, 2)), rng.standard_normal((250, 2))
    own = np.random.default_rng(4)
    one = kernel_distance(x, y, subset=50, subsets=3, rng=np.random.default_rng(4))
    parts = []
    for _ in range(3):
        a, b = x[own.permutation(300)[:50]], y[own.permutation(250)[:50]]
        parts.append(kernel_distance(a, b))
    np.testing.assert_allclose(one, np.mean(parts), rtol=1e-12)
    np.random.seed(1)
    first = kernel_distance(x, y, subset=50)
    np.random.seed(1)
    assert first == kernel_distance(x, y, subset=50) != kernel_distance(x, y, subset=50)


# ---------------------------------------------------------------------------- neighbours
@pytest.mark.parametrize("k", [1, 3, 20])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_nearest_against_slow_and_sklearn(k, offset, rng, monkeypatch):
    neighbors = pytest.importorskip("sklearn.neighbors")
    monkeypatch.setattr("fastdl.metrics.neighbours.BLOCK", 700)  # several blocks
    q, r = rng.standard_normal((40, 5)) + offset, rng.standard_normal((90, 5)) + offset
    distances, indices = nearest(q, r, k)
    slow = slow_distances(q, r)
    order = np.argsort(slow, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(distances, np.take_along_axis(slow, order, axis=1), rtol=1e-14)
    assert indices.dtype == np.int64 and distances.dtype == np.float64
    theirs, at = neighbors.NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(r).kneighbors(q)
    np.testing.assert_array_equal(indices, at)
    np.testing.assert_allclose(distances, theirs, rtol=1e-12)


def test_copies_are_at_distance_0_and_near_ones_are_told_apart(rng):
    r = 1e4 + rng.standard_normal((200, 30))
    distances, indices = nearest(r[::-1], r)
    assert not distances.any() and indices[:, 0].tolist() == list(range(200))[::-1]
    close = r.copy()
    close[:, 0] += 1e-6  # the product's squares are wrong by more than these distances' squares
    np.testing.assert_allclose(nearest(close, r)[0], 1e-6, rtol=1e-4)


def test_many_equal_distances(rng):
    """More rows at one distance than are measured exactly at first; the smallest index is told."""
    r = np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 6, 100)])
    r[40:] = r[40]
    distances, indices = nearest([[0.0, 0.0], [5.0, 5.0]], np.r_[np.full((30, 2), -9.0), r], 3)
    np.testing.assert_allclose(distances[0], 1)
    np.testing.assert_allclose(distances[1], np.sort(slow_distances([[5, 5]], r)[0])[:3])
    r = np.ones((50, 4))
    assert nearest(np.zeros((2, 4)), r, 3)[1].tolist() == [[0, 1, 2]] * 2
    distances, indices = nearest(r, r, 3)
    assert not distances.any() and all(len(set(row)) == 3 for row in indices.tolist())


def slow_scores(real, made, k):
    reach = [np.sort(slow_distances(x, x), axis=1)[:, k] for x in (real, made)]
    gaps = slow_distances(real, made)
    in_real, in_made = gaps <= reach[0][:, None], gaps <= reach[1][None]
    return {
        "precision": in_real.any(axis=0).mean(), "recall": in_made.any(axis=1).mean(),
        "density": in_real.sum() / (k * len(made)), "coverage": in_real.any(axis=1).mean(),
    }  # fmt: skip


@pytest.mark.parametrize("k", [1, 3, 40])
def test_the_nearest_of_parts_are_those_of_the_whole(k, rng):
    q, r = rng.standard_normal((9, 4)), rng.standard_normal((23, 4))
    parts = iter([r[:5], r[5:6], r[6:20], r[20:]])
    distances, indices = nearest_in_parts(q, parts, k)
    expected = nearest(q, r, min(k, 23))
    np.testing.assert_array_equal(indices, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-12)


@pytest.mark.parametrize("k", [1, 5])
def test_neighbour_scores_against_slow(k, rng, monkeypatch):
    monkeypatch.setattr("fastdl.metrics.balls.BLOCK", 1000)
    real, made = rng.standard_normal((60, 3)), 0.7 * rng.standard_normal((50, 3)) + 0.3
    assert neighbour_scores(real, made, k) == pytest.approx(slow_scores(real, made, k), abs=1e-14)
    whole = rng.integers(0, 3, (2, 80, 2))  # rows that lie on the edge of balls, and copies
    assert neighbour_scores(*whole, k) == pytest.approx(slow_scores(*whole, k), abs=1e-14)


def test_neighbour_scores_are_closed_at_the_ball(rng):
    """A line of rows 1 apart: each ball reaches to its neighbours, also far from 0."""
    line = 1e7 + np.arange(30.0)[:, None]
    found = neighbour_scores(line, line, 2)
    assert found["precision"] == found["recall"] == found["coverage"] == 1
    assert found["density"] == 30 * 3 / 60  # the ends reach 2, and hold two others as well


def test_scores_of_lost_modes_and_of_made_up_ones(rng):
    real = np.r_[rng.normal(0, 1, (300, 2)), rng.normal(20, 1, (300, 2))]
    one = neighbour_scores(real, rng.normal(0, 1, (300, 2)))
    assert one["precision"] > 0.9 and one["recall"] < 0.55 and one["coverage"] < 0.55
    beside = neighbour_scores(real, np.r_[rng.normal(0, 1, (150, 2)), rng.normal(90, 1, (150, 2))])
    assert 0.4 < beside["precision"] < 0.51


# ---------------------------------------------------------------------------- counts
def test_class_shares_of_even_and_one_sided_labels():
    even = class_shares(np.repeat(np.arange(4), 5), 4)
    np.testing.assert_allclose(even["shares"], 0.25)
    np.testing.assert_allclose(even["entropy"], np.log(4))
    alone = class_shares([2, 2], 3)
    assert alone["shares"].tolist() == [0, 0, 1] and alone["entropy"] == 0
    assert (alone["smallest"], alone["largest"]) == (0, 1)


def test_mode_counts_of_known_points():
    centres = np.array([[0.0, 0], [10, 0], [20, 0]])
    points = [[0.29, 0], [0, -0.29], [0.31, 0], [10, 0.1], [15, 0]]
    found = mode_counts(points, centres, 0.1)
    assert found["modes"] == 2 and found["counts"].tolist() == [2, 1, 0]
    assert found["good"] == pytest.approx(0.6)
    assert mode_counts(points, centres, 0.1, least=2)["modes"] == 1


# ---------------------------------------------------------------------------- errors
WELL = np.random.default_rng(0).standard_normal((20, 3))


def with_nan():
    x = WELL.copy()
    x[7, 1] = np.nan
    return x


@pytest.mark.parametrize("name", ["frechet_distance", "kernel_distance", "neighbour_scores"])
@pytest.mark.parametrize(
    ("a", "b", "error", "message"),
    [(with_nan(), WELL, ValueError, "NaN or infinity in row 7"),
     (WELL, WELL[:, :2], ValueError, "has 3 columns, .* 2"),
     (WELL, WELL[:1], ValueError, "has 1 rows"),
     (WELL, np.zeros((2, 3, 4)), ValueError, r"shape \(2, 3, 4\).*reshape"),
     (WELL, WELL[:0], ValueError, "has 0 rows"),
     (WELL.astype(str), WELL, TypeError, "real numbers"),
     (WELL, WELL * 1j, TypeError, "real numbers")],
)  # fmt: skip
def test_rows_that_do_not_fit(name, a, b, error, message):
    with pytest.raises(error, match=message):
        getattr(generated, name)(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: frechet_distance(WELL, WELL[:3]), "3 rows of 3 features"),
     (lambda: neighbour_scores(WELL, WELL[:5]), "has 5 rows; expected 6 or more.*k = 5"),
     (lambda: neighbour_scores(WELL, WELL, 0), "k is 0"),
     (lambda: nearest(WELL, WELL, 21), "k is 21; reference has 20"),
     (lambda: nearest(WELL, WELL[:, :1]), "query has 3 columns, reference 1"),
     (lambda: kernel_distance(WELL, WELL, subset=1), "subset is 1"),
     (lambda: class_shares([0, 3], 3), "from 0 to 2, got 3 in row 1"),
     (lambda: class_shares([], 3), "no rows"),
     (lambda: mode_counts(WELL, WELL, 0.0), "std is 0"),
     (lambda: mode_counts(WELL, WELL[:, :2], 1.0), "points has 3 columns, centres 2")],
)  # fmt: skip
def test_arguments_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
