"""The columns of a log in the format libffm: ``label field:index:value ...``, by field.

- ``field_3``: the index, a category;
- ``field_3_list``: the indices, where some rows have several;
- ``field_3_value``: the value, a number: alone where the field has a single index, as the counts
  in Criteo's log have in this form, or beside ``field_3`` where values differ;
- ``field_3_values``: the values beside ``field_3_list``, where they differ.

What a row lacks is missing. Entries with the value 0 are no categories. A value that is the same
in all entries of a field tells nothing and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .entries import Entries, check_entries, in_lists

if TYPE_CHECKING:
    from pyarrow import Array

NAMES = re.compile(r"field_\d+(_list|_values?)?")
KNOWN = "field_3, field_3_list, field_3_value and field_3_values, say, for the field 3"


def columns_of(entries: Entries, asked: set[str]) -> list[str]:
    """The names of the columns that the entries need; ``asked`` has those of some fields."""
    asked_of: dict[int, list[str]] = {}
    for name in sorted(asked):
        asked_of.setdefault(_field(name), []).append(name)
    names = []
    for field, own in _by_field(entries):
        names += asked_of.pop(field, []) or _columns_of(field, own)
    return names + [name for rest in asked_of.values() for name in rest]


def _columns_of(field: int, own: Entries) -> list[str]:
    if _differ(own.values) and not _differ(own.indices) and not _several(own):
        return [f"field_{field}_value"]
    own = own.of(own.values != 0)
    several = _several(own)
    names = [f"field_{field}" + "_list" * several]
    return names + [f"field_{field}_value" + "s" * several] * _differ(own.values)


def _differ(array: np.ndarray) -> bool:
    return len(array) > 0 and bool((array != array[0]).any())


def _several(own: Entries) -> bool:
    return bool((own.rows[1:] == own.rows[:-1]).any())


def _field(name: str) -> int:
    return int(name.split("_")[1])


def _by_field(entries: Entries) -> Iterator[tuple[int, Entries]]:
    """The entries of each field, in the order of their rows."""
    fields = entries.fields
    small = len(fields) > 0 and fields.max() < 1 << 15
    # NumPy sorts int16 by radix
    order = np.argsort(fields.astype(np.int16) if small else fields, kind="stable")
    distinct, starts = np.unique(fields[order], return_index=True)
    for field, start, stop in zip(distinct, starts, [*starts[1:], len(fields)], strict=True):
        yield int(field), entries.of(order[start:stop])


class FieldColumns:
    """Makes columns of entries; ``chosen``: the caller has named them and wants no others.

    It remembers the only index of a field that has but a column of values, and the only value of
    one that has none: a second one would be lost, and is an error.
    """

    def __init__(self, names: list[str], chosen: bool) -> None:
        self.names, self.chosen = names, chosen
        self.fields = np.array(sorted({_field(name) for name in names}), np.int64)
        self.index, self.value = np.full(len(self.fields), -1), np.full(len(self.fields), np.nan)

        def have(*suffixes: str) -> np.ndarray:
            names = [[f"field_{field}{s}" for s in suffixes] for field in self.fields]
            return np.array([bool({*own} & {*self.names}) for own in names], np.bool_)

        self.of_index, self.of_value = have("", "_list"), have("_value", "_values")
        self.in_lists, self.single = have("_list", "_values"), have("", "_value")

    def arrays(self, entries: Entries) -> dict[str, Array]:
        """A pyarrow array for each column; BadRows for rows that do not fit into them."""
        places = np.searchsorted(self.fields, entries.fields)
        known = places < len(self.fields)
        known[known] = self.fields[places[known]] == entries.fields[known]
        if not self.chosen:
            check_entries(entries, ~known, lambda at: _new(int(entries.fields[at])))
        # a value of 0 says that the row has not this category; of a number it is one
        known[known] = (entries.values[known] != 0) | ~self.of_index[places[known]]
        if not known.all():
            entries, places = entries.of(known), places[known]
        if not self.chosen:
            self._check_only(entries, places)
        return self._columns(entries, places)

    def _check_only(self, entries: Entries, places: np.ndarray) -> None:
        new = np.flatnonzero(np.isnan(self.value))
        if len(new):
            first = np.full(len(self.fields), -1)
            first[places[::-1]] = np.arange(len(places))[::-1]  # of several the last one is written
            new = new[first[new] >= 0]
            self.index[new], self.value[new] = (
                entries.indices[first[new]],
                entries.values[first[new]],
            )
        second = ~self.of_index[places] & (entries.indices != self.index[places])
        check_entries(entries, second, lambda at: (
            f"field {entries.fields[at]} has the index {entries.indices[at]}, and only "
            f"{self.index[places[at]]} before, so that it was taken for a number. If it is a "
            f"category, pass categorical=['field_{entries.fields[at]}']."
        ))  # fmt: skip
        second = ~self.of_value[places] & (entries.values != self.value[places])
        check_entries(entries, second, lambda at: (
            f"field {entries.fields[at]} has the value {entries.values[at]:g}, and only "
            f"{self.value[places[at]]:g} before. To read its values too, pass categorical="
            f"['field_{entries.fields[at]}'] and numeric=['field_{entries.fields[at]}_value']."
        ))  # fmt: skip

    def _columns(self, entries: Entries, places: np.ndarray) -> dict[str, Array]:
        R = len(entries)
        cells = places * R + entries.rows
        alone = self.single[places]
        self._check_single(entries.of(alone), cells[alone])
        ids, values = np.full((len(self.fields), R), -1), np.full((len(self.fields), R), np.nan)
        ids.reshape(-1)[cells] = entries.indices
        if self.of_value.any():
            values.reshape(-1)[cells] = entries.values
        lists = dict(_by_field(entries.of(self.in_lists[places]))) if self.in_lists.any() else {}
        nothing = entries.of(slice(0, 0))
        found = {}
        for name in self.names:
            field = _field(name)
            place, own = int(np.searchsorted(self.fields, field)), lists.get(field, nothing)
            if name.endswith(("_list", "_values")):
                found[name] = in_lists(own, own.indices if name.endswith("_list") else own.values)
            else:
                found[name] = _single(name, ids[place], values[place])
        return found

    def _check_single(self, own: Entries, cells: np.ndarray) -> None:
        counts = np.bincount(cells, minlength=1)
        if counts.max() < 2:
            return
        check_entries(own, counts[cells] > 1, lambda at: (
            f"field {own.fields[at]} comes more than once; before, no row had it twice. To read "
            f"lists of it, pass categorical=['field_{own.fields[at]}_list']."
        ))  # fmt: skip


def _single(name: str, ids: np.ndarray, values: np.ndarray) -> Array:
    import pyarrow as pa

    if name.endswith("_value"):
        return pa.array(values, from_pandas=True)  # NaN is missing
    return pa.array(ids, mask=ids < 0).cast(pa.string())


def _new(field: int) -> str:
    return (
        f"the field {field} did not come in the first 8 MB. To read it too, pass categorical="
        f"['field_{field}']; to leave it out, choose the columns by columns=."
    )
