"""Pieces of the page. Every text goes through ``html.escape``: names and values come from logs."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from .texts import one_line, shown

MOST_ROWS = 300  # of a table


class Markup(str):
    """HTML that was made here and is not escaped again."""

    __slots__ = ()


def escaped(text: Any) -> Markup:
    """One line of a text from anywhere.

    >>> escaped("<b> & \\"c\\"")
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(one_line(text)))


def section(title: str, *parts: str, about: str = "") -> Markup:
    """A heading, a sentence and what belongs to them; empty where there are no parts."""
    inside = "\n".join(part for part in parts if part)
    if not inside:
        return Markup()
    told = f"<p>{html.escape(about)}</p>\n" if about else ""
    return Markup(f"<section>\n<h2>{escaped(title)}</h2>\n{told}{inside}\n</section>")


def card(name: str, value: str, about: str) -> Markup:
    """A figure in large letters, its name above and a sentence below."""
    return Markup(
        f'<div class="card"><div>{escaped(name)}</div><strong>{escaped(value)}</strong>'
        f"<small>{escaped(about)}</small></div>"
    )


def table(
    texts: Sequence[str], numbers: Sequence[str], rows: Sequence[Sequence[Any]], caption: str = ""
) -> Markup:
    """Columns of texts, then columns of numbers; rows beyond 300 are counted, not shown.

    An empty text, which a log may have as a value or a name, is shown as (empty).
    """
    if not rows:
        return Markup()
    kinds = [""] * len(texts) + [' class="number"'] * len(numbers)

    def line(tag: str, cells: Sequence[Any]) -> str:
        inside = (f"<{tag}{k}>{escaped(c)}</{tag}>" for k, c in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(inside)}</tr>"

    body = "\n".join(
        line("td", ["(empty)" if cell == "" else cell for cell in row]) for row in rows[:MOST_ROWS]
    )
    more = len(rows) - MOST_ROWS
    left = f"<p>{more:,} more rows are not shown.</p>" if more > 0 else ""
    named = f"<caption>{escaped(caption)}</caption>" if caption else ""
    header = line("th", [*texts, *numbers])
    return Markup(
        f'<div class="wide"><table>{named}<thead>{header}</thead><tbody>\n{body}\n</tbody></table>'
        f"</div>{left}"
    )


def facts(known: Mapping[str, Any], headers: Sequence[str]) -> Markup:
    """Names and what they are, a row each."""
    return table(headers, (), [(name, shown(value)) for name, value in known.items()])


def bar(mean: float, spread: float, low: float, high: float) -> Markup:
    """A bar from 0 to ``mean`` with a line of ± ``spread``, on a scale from ``low`` to ``high``."""

    def place(value: float) -> float:
        return 100 * (min(max(value, low), high) - low) / ((high - low) or 1.0)

    def piece(kind: str, start: float, end: float) -> str:
        left, right = sorted((place(start), place(end)))
        return f'<i class="{kind}" style="left:{left:.2f}%;width:{right - left:.2f}%"></i>'

    kind = "bar" if mean >= 0 else "bar less"
    parts = piece(kind, 0, mean) + piece("spread", mean - spread, mean + spread)
    return Markup(f'<div class="scale">{parts}</div>')
