"""Text cut into fields: kernels against their twins, and both against Python's own readers."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from fastdl.kernels import field_values, fields
from fastdl.kernels.backend import ops, use_backend
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastdl.data.formats import MISSING, packed_texts

ABSENT = packed_texts(MISSING)
BACKENDS = ["numba", "numpy"]


def cut(text, delimiter=",", quoting=True, width=None):
    """(chunks, bounds, ragged, data) of the whole lines of some bytes."""
    data = np.array(np.frombuffer(text + b"\n" * fields.PAD, np.uint8))
    mark = np.uint8(ord(delimiter))
    T = -(-len(text) // fields.CHUNK)
    chunks, starts, rows = (np.full(n, -7, np.int64) for n in ((T, 4), T + 1, T + 1))
    ops.scan_lines(data, len(text), mark, quoting, chunks, starts, rows)
    if width is None:
        width = text.partition(b"\n")[0].count(delimiter.encode()) + 1
    bounds, ragged = np.full((rows[-1], width + 1), -7, np.int32), np.full((T, 2), -7, np.int64)
    ops.cut_fields(data, starts, rows, mark, quoting, bounds, ragged)
    return chunks, bounds, ragged, data


def texts(bounds, data):
    """Every field's bytes."""
    raw = data.tobytes()
    return [[raw[a : b - 1] for a, b in zip(row, row[1:], strict=False)] for row in bounds.tolist()]


def on_all(run, two_thread_counts):
    """The arrays of the kernel on one and two threads and of the twin, which have to be equal."""
    one, two = two_thread_counts(run)
    with use_backend("numpy"):
        expected = run()
    for a, b, c in zip(one, two, expected, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, c)
    return one


def log_bytes(rng, rows, ends=(b"\n",)):
    """Lines of five fields, some quoted with separators inside, some lines blank."""
    choices = [b"a", b"", b"12", b'"x,y"', b'"p\nq"', b"long" * 9, b'""', b"NULL"]
    lines = []
    for _ in range(rows):
        lines.append(b",".join(choices[i] for i in rng.integers(0, len(choices), 5)))
        lines.append(ends[rng.integers(0, len(ends))] * int(rng.choice([1, 1, 1, 2, 3])))
    return b"".join(lines)


@pytest.mark.parametrize("rows", [1, 40, 6000])
@pytest.mark.parametrize("ends", [(b"\n",), (b"\r\n", b"\n")])
def test_fields_are_those_of_the_csv_module(rows, ends, rng, two_thread_counts):
    text = log_bytes(rng, rows, ends)
    chunks, bounds, ragged, data = on_all(lambda: cut(text, width=5), two_thread_counts)
    assert (chunks[:, 2] == 0).all() and (ragged[:, 0] == -1).all()
    assert len(chunks) == 1 or rows > 40
    expected = list(csv.reader(io.StringIO(text.decode(), newline="")))
    found = [[t.decode().strip('"') for t in row] for row in texts(bounds, data)]
    assert found == [row for row in expected if row]


@pytest.mark.parametrize("backend", BACKENDS)
def test_quotes_mean_nothing_where_the_format_has_none(backend):
    with use_backend(backend):
        chunks, bounds, _, data = cut(b'"a\tb\nc\t"d"e\n', "\t", False)
    assert texts(bounds, data) == [[b'"a', b"b"], [b"c", b'"d"e']] and not chunks[:, 2].any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("text", "flags"),
    [(b'a,"b"\n"c",d\n', 0), (b'a,"b""c"\n', fields.ESCAPED), (b'a,"""b"\n', fields.ESCAPED),
     (b'a,b"\nc,d"\n', fields.ODD), (b'a,"b"c\nd,e\n', fields.ODD), (b"a,b\rc,d\n", fields.ODD),
     (b'a,"b\rc"\r\nd,e\r\n', 0), (b"\xc3\xa4,b\n", fields.NOT_ASCII), (b'a,""\n', 0),
     (b'a, "b"\n', fields.ODD)],
)  # fmt: skip
@pytest.mark.parametrize("before", [0, 1, 62, 63, 64, fields.CHUNK - 5])
def test_what_the_simple_rules_do_not_cover_is_flagged(text, flags, before, backend):
    with use_backend(backend):
        chunks, _, _, _ = cut(b"x" * before + b"\n" + text, width=2)
    assert np.bitwise_or.reduce(chunks[:, 2]) == flags


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shift", [0, 30, 61, 62, 63, 64, fields.CHUNK - 3])
def test_blank_lines_and_an_unfinished_one(shift, backend):
    text = b"\n\r\n" + b"x" * shift + b",b\r\n\r\n\n\nc,d\n\r\n\ne,f"
    with use_backend(backend):
        chunks, bounds, _, data = cut(text, width=2)
    assert texts(bounds, data) == [[b"x" * shift, b"b"], [b"c", b"d"]]
    assert chunks[:, 1].max() + 1 == len(text) - 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_ragged_lines(backend):
    with use_backend(backend):
        _, _, ragged, _ = cut(b"a,b\nc,d\ne,f,g\nh\n")
        assert ragged.tolist() == [[2, 3]]
        _, _, ragged, _ = cut(b"a,b\nc,d\ne\n\n")
        assert ragged.tolist() == [[2, 1]]


WORDS = [b"", b"a", b"NULL", b"NaN", b"NA", b"N/A", b"nan", b"null", b"NULLS", b'"NULL"', b'""',
         b"N", b"x" * 31, b"y" * 32, b"z" * 70, b"1234567", b"12345678"]  # fmt: skip


@pytest.mark.parametrize("quoting", [True, False])
@pytest.mark.parametrize("rows", [1, 700])
def test_keys(rows, quoting, rng, two_thread_counts):
    lines = [[WORDS[i] for i in rng.integers(0, len(WORDS), 3)] for _ in range(rows)]
    _, bounds, _, data = cut(b"".join(b",".join(line) + b"\n" for line in lines), quoting=quoting)

    def run():
        keys, present = np.full((2, rows), 7, np.uint64), np.zeros((2, rows), bool)
        ops.hash_fields(data, bounds, np.array([2, 0]), quoting, ABSENT, keys, present)
        return keys, present

    keys, present = on_all(run, two_thread_counts)
    for k, field in enumerate((2, 0)):
        raw = [line[field] for line in lines]
        there = [t not in [m.encode() for m in MISSING] for t in raw]
        assert present[k].tolist() == there
        content = [t.strip(b'"') if quoting else t for t in raw]
        offsets = np.cumsum([0, *map(len, content)])
        expected = np.empty(rows, np.uint64)
        joined = np.frombuffer(b"".join(content) or b"\0", np.uint8)
        ops.hash_strings(offsets, joined, np.uint64(0), expected)
        assert keys[k].tolist() == np.where(there, expected, np.uint64(0)).tolist()


NUMBERS = ["0", "-0", "7", "12345678", "123456789", "-5", "1.5", ".5", "5.", "-.25", "1e3", "1E-7",
           "1e+22", "9007199254740993", "9223372036854775807", "1.7976931348623157e308", "0.1",
           "00012", "0e999999999999", "4.35", "2.5e-22", "123456.789", '"3"']  # fmt: skip
OTHERS = ["x", "-", ".", "e5", "1e", "1e+", "1 ", " 1", "+1", "0x10", "1_0", "inf", '""', "1-2",
          "--1", "1.2.3", "NULLS", "12345a", "1234567:", "/", ":"]  # fmt: skip


def parsed(some, whole=False):
    data = ",".join(some).encode() + b"\n"
    _, bounds, _, data = cut(data)
    shape = (len(some), 1)
    numbers, flags = np.full(shape, 7.0), np.full(shape, 7, np.uint8)
    ops.parse_fields(data, bounds, np.arange(len(some)), True, ABSENT, whole, numbers, flags)
    return numbers[:, 0], flags[:, 0]


@pytest.mark.parametrize("whole", [False, True])
def test_numbers(whole, two_thread_counts):
    some = [*NUMBERS, *OTHERS, *MISSING]
    numbers, flags = on_all(lambda: parsed(some, whole), two_thread_counts)
    for text, number, flag in zip(some, numbers, flags, strict=True):
        content = text.strip('"')
        if text in MISSING:
            assert np.isnan(number) and flag == 0
        elif text in OTHERS or (whole and not content.removeprefix("-").isdigit()):
            assert np.isnan(number) and flag == field_values.NO_NUMBER, text
        elif flag == 0:
            expected = float(int(content)) if whole else float(content)
            assert np.float64(number).tobytes() == np.float64(expected).tobytes(), text
        else:
            assert flag == field_values.NO_NUMBER if whole else field_values.INEXACT
    exact = flags[: len(NUMBERS)] == 0
    assert exact.sum() >= (9 if whole else len(NUMBERS) - 2)


PRINTED = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-(10**7), 10**7, places=3).map(str),
    st.integers(-(10**20), 10**20).map(str),
    st.text("0123456789.eE+-", min_size=1, max_size=12),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PRINTED, min_size=1, max_size=20))
@example(["1e22", "1e23", "8.5e-23", "0.000001", "123456789012345678901"])
def test_numbers_are_pythons_or_flagged(some):
    numbers, flags = parsed(some)
    with use_backend("numpy"):
        expected, expected_flags = parsed(some)
    assert flags.tolist() == expected_flags.tolist()
    assert numbers.tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [1, 20_000])
def test_copy_fields(n, rng, two_thread_counts):
    data = rng.integers(0, 256, 5000).astype(np.uint8)
    starts = rng.integers(0, 4900, n)
    lengths = rng.integers(0, 40, n)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)

    def run():
        out = np.zeros(offsets[-1], np.uint8)
        ops.copy_fields(data, starts, offsets, out)
        return (out,)

    (out,) = on_all(run, two_thread_counts)
    place = n // 2
    piece = data[starts[place] : starts[place] + lengths[place]]
    assert out[offsets[place] : offsets[place + 1]].tolist() == piece.tolist()
