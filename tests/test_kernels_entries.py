"""Entries of sparse logs: the kernel against its twin, on good lines and on broken ones."""

from __future__ import annotations

import numpy as np
import pytest
from fastdl.kernels.backend import ops, use_backend

GOOD = {
    True: b"1 0:12:0.5 39:9223372036854775807:1e-3\t1:2:-3.25E+2 \r\n-1 7:7:1\n0\n"
    b"+1.5 0:0:.5 # 1:2:3\n",
    False: b"1 qid:7 12:0.5 3:1.  9223372036854775807:12345678901234567890\n4:5 x:1\n"
    b"# comment\n0 1:2",
}
BYTES = b"0123456789:::  ...eE+-#\t\rqid:x\n\n\xff"


def parsed(data, fielded, backend):
    """What the kernel writes for the lines, in destinations of -7."""
    text = np.frombuffer(data + b"\n", np.uint8).copy()
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    R, E = len(ends), int((text == ord(":")).sum()) + 1
    shapes = [(R, float), (R, int), (R + 1, int), (E, int), (E, int), (E, float), ((E, 2), int),
              ((R, 2), int)]  # fmt: skip
    found = [
        np.full(shape, -7, np.float64 if kind is float else np.int64) for shape, kind in shapes
    ]
    with use_backend(backend):
        ops.parse_entries(text, starts, ends, fielded, *found)
    n = found[2][-1]
    return [*found[:3], *(array[:n] for array in found[3:7]), found[7]]


def compare(data, fielded):
    mine, twin = parsed(data, fielded, "numba"), parsed(data, fielded, "numpy")
    for a, b in zip(mine, twin, strict=True):
        assert a.tobytes() == b.tobytes(), data
    return mine


def test_entries_with_fields():
    labels, queries, firsts, fields, indices, values, spans, faults = compare(GOOD[True], True)
    assert labels.tolist()[:4] == [1, -1, 0, 1.5]
    assert firsts.tolist() == [0, 3, 4, 4, 5, 5]
    assert fields.tolist() == [0, 39, 1, 7, 0]
    assert indices.tolist() == [12, 2**63 - 1, 2, 7, 0]
    assert values.tolist() == [0.5, 1e-3, -325.0, 1.0, 0.5]
    assert GOOD[True][slice(*spans[2])] == b"-3.25E+2"
    assert faults[:, 0].tolist() == [0, 0, 0, 0, -1] and (queries == -1).all()


def test_entries_without_fields():
    labels, queries, firsts, _, indices, values, spans, faults = compare(GOOD[False], False)
    assert queries.tolist() == [7, -1, -1, -1]
    assert firsts.tolist() == [0, 3, 3, 3, 4]
    assert indices.tolist() == [12, 3, 2**63 - 1, 1]
    assert np.isnan(values[2]) and GOOD[False][slice(*spans[2])] == b"12345678901234567890"
    assert faults[:, 0].tolist() == [0, 2, -1, 0]
    assert np.isnan(labels[1]) and GOOD[False][faults[1, 1] :].startswith(b"x:1")


@pytest.mark.parametrize(
    ("line", "fault"),
    [(b"1 a", 1), (b"1 1:2", 1), (b"1 1:a:1", 2), (b"1 1::1", 2), (b"1 -1:2:1", 3),
     (b"1 1:-2:1", 3), (b"1 1:9223372036854775808:1", 4), (b"1 1:99999999999999999999999:1", 4),
     (b"1 x:2:1", 5),
     (b"1 1:2:", 6), (b"1 1:-0:1", 0), (b"1 1:00000000000000000000001:1", 0), (b"1 1:2:x", 0)],
)  # fmt: skip
def test_what_is_wrong(line, fault):
    *_, faults = compare(line, True)
    assert faults[0, 0] == fault


@pytest.mark.parametrize("fielded", [True, False])
def test_numbers_are_correctly_rounded(fielded, rng):
    some = [
        *rng.standard_normal(200) * 10.0 ** rng.integers(-8, 8, 200),
        0.1,
        1e22,
        123456789012345.0,
    ]
    texts = [form.format(x) for x in some for form in ("{:.6g}", "{:.3f}", "{:.14g}", "{:.5e}")]
    line = " ".join(("1:" if fielded else "") + f"{i}:{text}" for i, text in enumerate(texts))
    values = compare(f"1 {line}".encode(), fielded)[5]
    known = ~np.isnan(values)
    assert known.mean() > 0.9
    assert values[known].tolist() == [float(t) for t, k in zip(texts, known, strict=True) if k]


@pytest.mark.parametrize("fielded", [True, False])
def test_broken_lines_give_what_the_twin_gives(fielded, rng):
    for _ in range(60):
        data = bytearray(GOOD[fielded] * 3)
        for place in rng.integers(len(data), size=rng.integers(1, 12)):
            data[place] = BYTES[rng.integers(len(BYTES))]
        compare(bytes(data), fielded)
        compare(bytes(rng.choice(list(BYTES), 120).astype(np.uint8)), fielded)
