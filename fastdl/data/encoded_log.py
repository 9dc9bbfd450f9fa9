"""A log as models take it: encoded on the first pass, read from disk on later ones, mixed."""

from __future__ import annotations

import errno
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..config import resolve_dtype
from ..features import Batch
from ..files import FORMAT_VERSION, read_arrays, write_arrays, write_json
from ..stream import Rows, RowStream, Window
from ..validation import check_size
from .feature_encoder import FeatureEncoder
from .labels import labels

BLOCK_ROWS = 65536
DESCRIPTION = "cache.json"
_RAMP = 8  # the first window is so many times smaller
_WINDOW_BYTES = 64 << 20  # three windows are in memory: trained on, ready, and being made
_FULL = (errno.ENOSPC, errno.EDQUOT)


class EncodedLog(RowStream):
    """Rows of a log of any size for ``Trainer.train``, in blocks, with memory bounded.

    tables: a function that starts a pass over the log's tables, each with a column label (the
    method ``pieces`` of a ``Log`` is the fastest). encoder:
    a fitted ``FeatureEncoder``. rows: how many the tables have in all. folder: where encoded blocks
    are kept for later passes; without it every pass encodes anew. identity: what JSON can hold and
    tells this log and encoder from others; a folder of another one is refused.

    Epoch 0 goes through the log in its order, later ones through blocks in random order where they
    are on disk. In both, windows of about 64 MB are mixed row by row: a log that fits into one is
    shuffled as arrays are. The order follows from the seed and the epoch alone.

    Raises ValueError where the log has other rows than ``rows``, or the folder another log's;
    OSError where the disk is full.

    >>> from fastdl.data import EncodedLog, FeatureEncoder, iter_ad_log
    >>> log = lambda: iter_ad_log(1000, numeric=1, categorical=2, cardinality=50)
    >>> encoder = FeatureEncoder().fit(log())
    >>> [len(block) for block in EncodedLog(log, encoder, 1000, block_rows=600).blocks()]
    [600, 400]
    """

    def __init__(
        self, tables: Callable[[], Iterable[Any]], encoder: FeatureEncoder, rows: int, *,
        folder: str | os.PathLike[str] | None = None, identity: Any = None,
        block_rows: int = BLOCK_ROWS, window_rows: int | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self.tables, self.encoder = tables, encoder
        self.rows = check_size(rows, "rows")
        self.block_rows = check_size(block_rows, "block_rows")
        self.dtype = resolve_dtype(dtype)
        if window_rows is None:
            spec = encoder.spec_
            row_bytes = 4 * (len(spec.names) + 1)
            window_rows = max(self.block_rows, _WINDOW_BYTES // row_bytes)
        self.window_rows = check_size(window_rows, "window_rows")
        self.folder = None if folder is None else Path(folder)
        self._trusted: set[int] = set()  # blocks that this process has written or verified
        if self.folder is not None:
            self._open(self.folder, json.loads(json.dumps(identity)))

    def __len__(self) -> int:
        return self.rows

    @property
    def block_count(self) -> int:
        """Blocks of ``block_rows`` rows; the last one may have fewer."""
        return -(-self.rows // self.block_rows)

    def blocks(self, first_row: int = 0) -> Iterator[Rows]:
        """The rows from ``first_row`` on in the log's order, in pieces of at most a block."""
        number, skipped = divmod(first_row, self.block_rows)
        while number < self.block_count and (block := self._kept(number)) is not None:
            yield block[skipped:] if skipped else block
            number, skipped = number + 1, 0
        if number == self.block_count:
            return
        for own in self._encoded(number):
            yield own[skipped:] if skipped else own
            skipped = 0

    def windows(
        self, epoch: int, seed: int, batch_size: int, first_row: int = 0
    ) -> Generator[Window, None, None]:
        """The epoch's mixed rows from the window on that holds ``first_row``."""
        place = self._places(epoch, batch_size)
        number, start, size = next(own for own in place if first_row < own[1] + own[2])
        sizes = itertools.chain([size], (size for _, _, size in place))
        in_order = epoch == 0 or self.folder is None
        blocks = self.blocks(start) if in_order else self._mixed_blocks(seed, start)
        for rows in recut(blocks, sizes):
            order = np.random.default_rng([seed, number]).permutation(len(rows))
            yield Window(start, rows, order)
            number, start = number + 1, start + len(rows)
            del rows

    def _places(self, epoch: int, batch_size: int) -> Iterator[tuple[int, int, int]]:
        """Number, first row and size of an epoch's windows, the last one's beyond the end.

        The first epoch begins with small ones, so that training soon does, unless one holds all.
        """
        most = max(1, self.window_rows // batch_size) * batch_size
        size, start = most, 0
        if epoch == 0 and self.rows > most:
            size = -(-most // (_RAMP * batch_size)) * batch_size
        for number in itertools.count():
            yield number, start, size
            start, size = start + size, min(2 * size, most)

    def _mixed_blocks(self, seed: int, first_row: int) -> Iterator[Rows]:
        order = np.random.default_rng([seed]).permutation(self.block_count)
        skipped = first_row
        for number in order:
            own = min(self.block_rows, self.rows - int(number) * self.block_rows)
            if skipped >= own:
                skipped -= own
                continue
            block = self._kept(int(number)) or self._made_again(int(number))
            yield block[skipped:] if skipped else block
            skipped = 0

    def _made_again(self, number: int) -> Rows:
        """A block that is not on disk, or damaged there."""
        with closing(self._encoded(number)) as blocks:
            return next(blocks)

    def _encoded(self, first_block: int) -> Generator[Rows, None, None]:
        """Blocks from the log itself; they are written into the folder as they are made."""
        number = first_block
        for block in recut(
            self._pieces(first_block * self.block_rows), itertools.repeat(self.block_rows)
        ):
            self._keep(number, block)
            yield block
            number += 1

    def _pieces(self, first_row: int) -> Iterator[Rows]:
        targets: deque[np.ndarray] = deque()
        tables = self._tables_from(first_row, targets)
        for features in self.encoder.iter_transform(tables, self.dtype):
            yield Rows(self.encoder.spec_.batch(features, self.dtype), targets.popleft())

    def _tables_from(self, first_row: int, targets: deque[np.ndarray]) -> Iterator[Any]:
        """The log's tables without the rows before ``first_row``; their labels go to targets."""
        skip, total = first_row, 0
        for table in self.tables():
            total += len(table)
            if total > self.rows:
                break
            if skip >= len(table):
                skip -= len(table)
                continue
            own, skip = table[skip:], 0
            targets.append(labels(own))
            yield own
        if total != self.rows:
            more = "more" if total > self.rows else f"{total:,}"
            raise ValueError(
                f"The log had {self.rows:,} rows when it was counted and has {more} now: it must "
                "not change while it is trained on."
            )

    # ------------------------------------------------------------------------ the folder
    def _open(self, folder: Path, identity: Any) -> None:
        mine = {
            "format_version": FORMAT_VERSION, "rows": self.rows, "block_rows": self.block_rows,
            "dtype": self.dtype.name, "spec": self.encoder.spec_.to_dict(), "identity": identity,
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / DESCRIPTION
        try:
            known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        except ValueError:
            raise ValueError(f"{path} is damaged; remove the folder to encode anew.") from None
        if known is None:
            write_json(path, mine)
        elif known != json.loads(json.dumps(mine)):
            raise ValueError(
                f"{folder} holds the encoded rows of another log, of another encoder, or of this "
                "log before it changed; remove the folder to encode anew."
            )

    def _path(self, number: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{number:06d}.safetensors"

    def _keep(self, number: int, block: Rows) -> None:
        if self.folder is None:
            return
        x = block.x
        arrays = {"t": block.t}
        arrays |= {n: a for n, a in (("numeric", x.numeric), ("ids", x.ids)) if a is not None}
        for i, (values, bounds) in enumerate(x.sequences):
            arrays |= {f"values{i}": values, f"bounds{i}": bounds}
        try:
            write_arrays(self._path(number), arrays, {"kind": "block"}, durable=False)
            self._trusted.add(number)
        except OSError as error:
            if error.errno in _FULL or "No space" in str(error):
                size = sum(a.nbytes for a in arrays.values()) * self.block_count >> 20
                raise OSError(
                    errno.ENOSPC,
                    f"The disk is full: the encoded log needs about {size:,} MB in {self.folder}. "
                    "Free space and go on with --resume, or train without the cache, by "
                    "--no-cache, which encodes in every epoch",
                ) from None
            raise

    def _kept(self, number: int) -> Rows | None:
        if self.folder is None or not self._path(number).is_file():
            return None
        try:
            fresh = number not in self._trusted
            arrays, _ = read_arrays(self._path(number), "block", verify=fresh)
        except ValueError:  # cut off by a crash of the machine: it is made again
            return None
        self._trusted.add(number)
        spec = self.encoder.spec_
        sequences = tuple(
            (arrays[f"values{i}"], arrays[f"bounds{i}"]) for i in range(len(spec.sequences))
        )
        return Rows(Batch(spec, arrays.get("numeric"), arrays.get("ids"), sequences), arrays["t"])

    def remove(self) -> None:
        """Delete the encoded blocks on disk."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in itertools.chain(self.folder.glob("*.safetensors"), self.folder.glob(".*.tmp")):
            path.unlink(missing_ok=True)
        (self.folder / DESCRIPTION).unlink(missing_ok=True)
        self.folder.rmdir()


def recut(pieces: Iterable[Rows], sizes: Iterator[int]) -> Iterator[Rows]:
    """The same rows in pieces of these sizes; the last one may have fewer."""
    held: list[Rows] = []
    count, size = 0, next(sizes)
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        while count >= size:
            joined = _joined(held)
            yield joined[:size] if count > size else joined
            held, count = ([joined[size:]] if count > size else []), count - size
            size = next(sizes)
            del joined
    if count:
        yield _joined(held)


def _joined(pieces: list[Rows]) -> Rows:
    if len(pieces) == 1:
        return pieces[0]
    return Rows(Batch.joined([p.x for p in pieces]), np.concatenate([p.t for p in pieces]))
