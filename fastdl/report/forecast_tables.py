"""Tables of forecasts on the terminal: forecasters beside each other, the resampling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..metrics.forecast import interval_of

if TYPE_CHECKING:
    from rich.table import Table

HEADERS = (
    "CRPS skill", "MAE skill", "MAE", "RMSE", "sMAPE", "MASE", "CRPS", "pinball", "80 % covers",
    "80 % width",
)  # fmt: skip


def forecast_rows(models: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Cells of each forecaster: its name, skills, metrics, and coverage and width of 80 %."""
    return [(name, *_cells(own)) for name, own in models.items()]


def _cells(own: Mapping[str, Any]) -> Sequence[str]:
    skill = own.get("skill") or {}
    inner = interval_of(own)
    pinball = list(own["pinball"].values())
    return (
        *("-" if skill.get(key) is None else f"{skill[key]:+.1%}" for key in ("crps", "mae")),
        short(own["mae"]), short(own["rmse"]), f"{own['smape']:.1f} %", short(own.get("mase")),
        short(own["crps"]), short(sum(pinball) / max(len(pinball), 1)),
        f"{inner['covered']:.1%}" if inner else "-", short(inner.get("width")),
    )  # fmt: skip


def short(value: float | None) -> str:
    """A number with four digits that count.

    >>> short(0.00123456), short(1234.567), short(None)
    ('0.001235', '1,235', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def forecast_table(models: Mapping[str, Any], values: int) -> Table:
    """Forecasters beside each other, a column each; the first is the one that was trained."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(f"{values:,} values", no_wrap=True)
    for i, name in enumerate(models):
        lines = escape(name).replace(" ", "\n", 1)
        table.add_column(lines, justify="right", no_wrap=True, style="bold" if i == 0 else None)
    cells = zip(*(row[1:] for row in forecast_rows(models)), strict=True)
    for header, row in zip(HEADERS, cells, strict=True):
        table.add_row(header, *row)
    return table
