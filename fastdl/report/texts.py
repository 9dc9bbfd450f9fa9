"""Texts from logs and numbers, as pictures, pages and terminals can show them."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Mapping
from numbers import Integral
from typing import Any

LETTERS = 120  # more of a text is not shown


def one_line(text: Any, letters: int = LETTERS) -> str:
    """The text on one line of at most ``letters``, with a square for what no screen may get.

    Control characters would move a terminal's cursor, and halves of surrogate pairs cannot be
    written to a file.

    >>> one_line("two\\nlines"), one_line("a\\x1b[31mb"), one_line("long " * 9, 15)
    ('two lines', 'a□[31mb', 'long long ...')
    """
    line = " ".join(str(text).split())
    if len(line) > letters:
        short = textwrap.shorten(line, letters, placeholder=" ...")
        # textwrap drops a word that is too long: of a text without spaces nothing would be left
        line = short if len(short) > letters // 2 else line[: letters - 4] + " ..."
    bad = ("Cc", "Cs")
    return "".join("\N{WHITE SQUARE}" if unicodedata.category(c) in bad else c for c in line)


def digits(value: float | None, count: int) -> str:
    """The number with so many digits behind the point, a dash for None.

    >>> digits(0.12345, 3), digits(None, 3)
    ('0.123', '-')
    """
    return "-" if value is None else f"{value:.{count}f}"


def shown(value: Any) -> str:
    """A fact or an option as people read it.

    >>> shown(1234567), shown(12.3456789), shown(None), shown([64, 32]), shown(True)
    ('1,234,567', '12.3457', '-', '64, 32', 'yes')
    """
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):  # NumPy's too
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.6g}"
    if isinstance(value, list | tuple):
        return one_line(", ".join(map(shown, value)))
    if isinstance(value, Mapping):
        return one_line(", ".join(f"{name} = {shown(own)}" for name, own in value.items()))
    return one_line(value)
