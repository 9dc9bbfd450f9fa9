"""What the names of columns tell of them."""

from __future__ import annotations

import re

from .formats import LABELS

# Names that only ids have. What integers look like does not tell: prices and sizes of popular
# things are as irregular as ids, and what some thousand rows show a few hundred do not.
_THINGS = frozenset((
    "user", "customer", "member", "household", "advertiser", "publisher", "campaign", "adgroup",
    "creative", "brand", "product", "item", "article", "movie", "song", "seller", "merchant",
    "shop", "store", "site", "app", "device", "domain", "city", "country", "region", "zip",
    "zipcode", "uid", "pid",
))  # fmt: skip
_DECLARED = ("token", "float", "token_seq", "float_seq")  # types behind names, as RecBole has them


def is_id(name: str) -> bool:
    """Whether a column's name says that its numbers only tell things apart: user_id, zip, brand.

    >>> [is_id(name) for name in ("user_id", "adId", "item_id:token", "brand", "paid", "items")]
    [True, True, True, True, False, False]
    """
    name = _base(name)
    pattern = r"(^|[\W_])(id|code|key|hash)$|[a-z](Id|ID|Code|Key)$"
    return name.lower() in _THINGS or re.search(pattern, name, re.A) is not None


def is_label(name: str) -> bool:
    """Whether a column of this name is taken for the label if none is given."""
    return _base(name) in LABELS


def declared_type(name: str) -> str | None:
    """The type behind a column's name, as RecBole writes it: user_id:token, price:float.

    >>> declared_type("price:float"), declared_type("price")
    ('float', None)
    """
    kind = name.rpartition(":")[2]
    return kind if kind in _DECLARED and len(kind) < len(name) - 1 else None


def _base(name: str) -> str:
    return name.rpartition(":")[0] if declared_type(name) is not None else name
