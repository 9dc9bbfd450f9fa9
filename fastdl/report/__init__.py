"""What a finished training shows: a picture, a page, and tables on the terminal."""

from .curves import curves, loss_curve
from .forecast_tables import forecast_table
from .inspected import run_tables
from .page import write_page
from .picture import plot_run
from .tables import (
    class_table,
    columns_table,
    facts_table,
    history_table,
    image_metrics_table,
    importance_table,
    judged_table,
    metrics_table,
    values_table,
)

__all__ = [
    "class_table",
    "columns_table",
    "curves",
    "facts_table",
    "forecast_table",
    "history_table",
    "image_metrics_table",
    "importance_table",
    "judged_table",
    "loss_curve",
    "metrics_table",
    "plot_run",
    "run_tables",
    "values_table",
    "write_page",
]
