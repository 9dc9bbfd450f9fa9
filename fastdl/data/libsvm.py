"""The columns of a log in the format libsvm: ``label index:value index:value ...``.

- ``feature_3``: the value of the index 3, 0 where a row lacks it, as the format has it; for
  indices whose values differ, up to 256 of them;
- ``features``: the list of all other indices, as categories;
- ``values``: theirs, where they are not all 1;
- ``qid``: the number behind ``qid:``, as a category.

Entries with the value 0 are no elements of lists.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from .entries import Entries, check_entries, in_lists

if TYPE_CHECKING:
    from pyarrow import Array

MOST_NUMBERS = 256
NAMES = re.compile(r"features|values|qid|feature_\d+")
KNOWN = "features, values, qid, and feature_3, say, for the values of the index 3"


def columns_of(entries: Entries, asked: set[str]) -> list[str]:
    """The names of the columns that the entries need; ``asked`` has some of them."""
    order = np.argsort(entries.indices, kind="stable")
    indices, values = entries.indices[order], entries.values[order]
    same = indices[1:] == indices[:-1]
    differing = np.unique(indices[1:][same & (values[1:] != values[:-1])])
    if len(differing) > MOST_NUMBERS:
        differing = differing[:0]
    numbers = {*differing.tolist(), *(_index(n) for n in asked if n.startswith("feature_"))}
    rest = entries.values[~np.isin(entries.indices, sorted(numbers))]
    names = [f"feature_{index}" for index in sorted(numbers)]
    names += ["features"] if len(rest) or "features" in asked else []
    names += ["values"] if "values" in asked or (rest != 1).any() else []
    return names + (["qid"] if "qid" in asked or (entries.queries >= 0).any() else [])


def _index(name: str) -> int:
    return int(name.removeprefix("feature_"))


class IndexColumns:
    """Makes columns of entries; ``chosen``: the caller has named them and wants no others."""

    def __init__(self, names: list[str], chosen: bool) -> None:
        self.names, self.chosen = names, chosen
        self.numbers = [_index(name) for name in names if name.startswith("feature_")]

    def arrays(self, entries: Entries) -> dict[str, Array]:
        """A pyarrow array for each column; BadRows for rows that do not fit into them."""
        import pyarrow as pa

        own = np.isin(entries.indices, self.numbers)
        found = dict(zip(map("feature_{}".format, self.numbers), self._values(entries.of(own)),
                         strict=True))  # fmt: skip
        rest = entries.of(~own & (entries.values != 0))
        self._check(rest)
        if "features" in self.names:
            found["features"] = in_lists(rest, rest.indices)
        if "values" in self.names:
            found["values"] = in_lists(rest, rest.values)
        if "qid" in self.names:
            found["qid"] = pa.array(entries.queries, mask=entries.queries < 0).cast(pa.string())
        return {name: found[name] for name in self.names}

    def _values(self, own: Entries) -> list[Array]:
        import pyarrow as pa

        order = np.argsort(self.numbers)
        places = order[np.searchsorted(self.numbers, own.indices, sorter=order)]
        matrix = np.zeros((len(self.numbers), len(own)))
        cells = places * len(own) + own.rows
        again = np.bincount(cells, minlength=1)[cells] > 1
        check_entries(own, again, lambda at: f"the index {own.indices[at]} comes more than once.")
        matrix.reshape(-1)[cells] = own.values
        return [pa.array(column) for column in matrix]

    def _check(self, rest: Entries) -> None:
        if self.chosen or "values" in self.names:
            return
        if "features" not in self.names:
            check_entries(
                rest, np.ones(len(rest.rows), np.bool_),
                lambda at: (
                    f"the index {rest.indices[at]} did not come in the first 8 MB. If it is one "
                    "more category, pass columns=[..., 'features']."
                ),
            )  # fmt: skip
        check_entries(
            rest, rest.values != 1,
            lambda at: (
                f"the index {rest.indices[at]} has the value {rest.values[at]:g}; in the first 8 "
                "MB only 1 came. To read such values too, pass columns=[..., 'features', 'values']."
            ),
        )  # fmt: skip
