"""The picture (its numbers, its file, what it leaves alone) and the table."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastdl import metrics
from fastdl.report import calibration as report_calibration
from fastdl.report import metrics_table, plot_run
from fastdl.report import picture as report_picture
from fastdl.report import roc as report_roc

Data = tuple[np.ndarray, np.ndarray, np.ndarray]
HISTORY = {
    "step_loss": np.linspace(0.7, 0.4, 300),
    "steps_per_epoch": 100,
    "epoch": [1, 2, 3],
    "val_loss": [0.6, 0.45, 0.5],
}


@pytest.fixture
def data() -> Data:
    rng = np.random.default_rng(8)
    logit = rng.standard_normal(3000) - 1.5
    true = 1 / (1 + np.exp(-logit))
    guess = 1 / (1 + np.exp(-(logit + 0.5 * rng.standard_normal(3000))))
    return rng.random(3000) < true, guess, true


@pytest.fixture
def axes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The panels of the picture that was written last."""
    kept: list[Any] = []
    write = report_picture.write_figure

    def keep(figure: Any, path: Path) -> None:
        kept[:] = figure.axes
        write(figure, path)

    monkeypatch.setattr(report_picture, "write_figure", keep)
    return kept


def pixels(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("L"), np.float64)


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def texts(ax: Any) -> str:
    return " ".join(text.get_text() for text in ax.texts)


def test_picture_shows_the_numbers(tmp_path: Path, data: Data, axes: list[Any]) -> None:
    y, p, true = data
    path = tmp_path / "run.png"
    plot_run(path, history=HISTORY, label=y, probability=p, title="A run", best_possible=true)
    assert os.listdir(tmp_path) == ["run.png"]
    picture = pixels(path)
    assert picture.shape == (500, 1500)
    for third in np.array_split(picture, 3, axis=1):
        assert (third < 128).mean() > 0.005  # something is drawn in every panel

    loss, roc, calibration = axes
    assert legend(loss)[1] == "validation, best 0.4500 after epoch 2"
    assert legend(roc)[:2] == [
        f"model, AUC {metrics.roc_auc(y, p):.4f}",
        f"best possible, AUC {metrics.roc_auc(y, true):.4f}",
    ]
    assert roc.get_title("left") == f"ROC, 3,000 rows with {y.sum()} clicks"
    for line in roc.lines:
        assert line.get_xydata()[0].tolist() == [0, 0] and line.get_xydata()[-1].tolist() == [1, 1]
    assert calibration.get_title("left").endswith(f"{metrics.calibration_ratio(y, p):.3f}")
    predicted, observed, _ = metrics.calibration_curve(y, p)
    drawn = calibration.containers[0].lines[0].get_xydata()
    np.testing.assert_allclose(drawn, 100 * np.stack([predicted, observed], 1), rtol=1e-12)
    for ax in axes:
        assert ax.get_xlabel() and ax.get_ylabel()


def test_nothing_overlaps(tmp_path: Path, data: Data, axes: list[Any]) -> None:
    plot_run(
        tmp_path / "a.png", history=HISTORY, label=data[0], probability=data[1], title="x" * 300
    )
    figure = axes[0].figure
    boxes = [ax.get_tightbbox() for ax in axes]
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    title = figure._suptitle.get_window_extent()
    assert all(box.y1 <= title.y0 for box in boxes)
    assert 0 <= title.x0 < title.x1 <= 1500 and boxes[0].x0 >= 0 and boxes[-1].x1 <= 1500


def test_loss_curve_is_the_running_mean(tmp_path: Path, data: Data, axes: list[Any]) -> None:
    rng = np.random.default_rng(1)
    loss = rng.random(50_000)
    history = {"step_loss": loss, "steps_per_epoch": 10_000}
    plot_run(tmp_path / "a.png", history=history, label=data[0], probability=data[1], title="")
    raw, smoothed = (line.get_xydata() for line in axes[0].lines)
    assert raw.shape == smoothed.shape == (1000, 2)
    np.testing.assert_allclose(raw[:, 0], (np.arange(1000) + 0.5) * 50 / 10_000, rtol=1e-12)
    np.testing.assert_allclose(raw[:, 1], loss.reshape(1000, 50).mean(1), rtol=1e-12)
    np.testing.assert_allclose(smoothed[500, 1], loss[480 * 50 : 521 * 50].mean(), rtol=1e-12)
    np.testing.assert_allclose(smoothed[0, 1], loss[: 21 * 50].mean(), rtol=1e-12)
    assert legend(axes[0]) == ["training, mean of 2,050 steps"]


def test_losses_that_are_not_finite_are_gaps(tmp_path: Path, data: Data, axes: list[Any]) -> None:
    history = {
        "step_loss": [0.7, np.nan, np.inf, 0.5],
        "steps_per_epoch": 2,
        "epoch": [1, 2],
        "val_loss": [None, 0.6],
    }
    plot_run(tmp_path / "a.png", history=history, label=data[0], probability=data[1], title="")
    training = axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(training, [0.7, np.nan, np.nan, 0.5])
    assert axes[0].lines[1].get_xydata().tolist() == [[2, 0.6]]
    assert np.isfinite(axes[0].get_ylim()).all()


@pytest.mark.parametrize(
    "history, expected",
    [
        ({"step_loss": [0.5], "steps_per_epoch": 1}, "training, every step"),
        ({"step_loss": np.ones(9), "steps_per_epoch": 9, "epoch": [], "val_loss": []}, "every"),
        ({"step_loss": np.ones(9), "steps_per_epoch": 9, "epoch": [1], "val_loss": None}, "every"),
        ({"step_loss": [], "steps_per_epoch": 5}, None),
        ({"step_loss": [np.nan] * 300, "steps_per_epoch": np.int64(5)}, None),
        ({"step_loss": [], "steps_per_epoch": 5, "epoch": [1], "val_loss": [0.5]}, "validation"),
    ],
)
def test_short_histories(
    tmp_path: Path, data: Data, axes: list[Any], history: dict[str, Any], expected: str | None
) -> None:
    plot_run(tmp_path / "a.png", history=history, label=data[0], probability=data[1], title="t")
    assert pixels(tmp_path / "a.png").shape == (500, 1500)
    if expected is None:
        assert texts(axes[0]) == "No finite loss was recorded."
    else:
        assert expected in " ".join(legend(axes[0]))


@pytest.mark.parametrize("label, missing", [(False, "no clicks"), (True, "no non-clicks")])
def test_one_class_gets_a_note(tmp_path: Path, axes: list[Any], label: bool, missing: str) -> None:
    p = np.linspace(0.1, 0.6, 40)
    plot_run(
        tmp_path / "a.png",
        history=HISTORY,
        label=np.full(40, label),
        probability=p,
        title="one class",
        best_possible=p,
    )
    assert missing in texts(axes[1]) and not axes[1].lines
    observed = axes[2].containers[0].lines[0].get_ydata()
    assert observed.tolist() == [100.0 * label] * 10


def test_best_possible_as_a_number(tmp_path: Path, data: Data, axes: list[Any]) -> None:
    y, p, _ = data
    plot_run(
        tmp_path / "a.png", history=HISTORY, label=y, probability=p, title="", best_possible=0.8125
    )
    assert legend(axes[1])[1] == "best possible, AUC 0.8125"


def test_roc_of_many_rows_is_thinned(tmp_path: Path, axes: list[Any]) -> None:
    rng = np.random.default_rng(2)
    p = rng.random(200_000, np.float32) * 0.1
    y = rng.random(200_000) < p
    full = np.stack(metrics.roc_curve(y, p), 1)
    plot_run(tmp_path / "a.png", history=HISTORY, label=y, probability=p, title="many")
    drawn = axes[1].lines[0].get_xydata()
    assert 1500 < len(drawn) <= report_roc.CURVE_POINTS < len(full)
    np.testing.assert_allclose(np.interp(full[:, 0], *drawn.T), full[:, 1], atol=2e-3)


def test_rare_clicks_get_logarithmic_axes(tmp_path: Path, axes: list[Any]) -> None:
    rng = np.random.default_rng(3)
    p = 1 / (1 + np.exp(-(2 * rng.standard_normal(100_000) - 4)))
    y = rng.random(100_000) < p
    plot_run(tmp_path / "a.png", history=HISTORY, label=y, probability=p, title="rare")
    assert axes[2].get_xscale() == axes[2].get_yscale() == "log"
    assert axes[2].get_xlim() == axes[2].get_ylim()
    assert "10 bins of 10,000 rows" in legend(axes[2])[1]


def test_intervals_are_wilsons() -> None:
    y, p = np.repeat([1, 0], [3, 17]), np.full(20, 0.2)
    bins = report_calibration.calibration_bins(y, p)
    assert bins["rows"].tolist() == [20]
    z, n, r = 1.959964, 20, 0.15
    # Wilson's bounds are the roots of (r - q)^2 = z^2 q (1 - q) / n.
    low, high = np.sort(np.roots([1 + z * z / n, -(2 * r + z * z / n), r * r]))
    np.testing.assert_allclose([bins["low"][0], bins["high"][0]], [low, high])
    assert round(bins["low"][0], 4) == 0.0524 and round(bins["high"][0], 4) == 0.3604


@pytest.mark.parametrize("title", ["50 $ off: $x_", "광고 로그", "two\nlines\ttab", "", "x" * 500])
def test_any_title(tmp_path: Path, data: Data, title: str) -> None:
    plot_run(tmp_path / "a.png", history=HISTORY, label=data[0], probability=data[1], title=title)
    assert pixels(tmp_path / "a.png").shape == (500, 1500)


def test_a_failed_write_keeps_the_old_picture(
    tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    def full_disk(self: Any, file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "run.png"
    path.write_bytes(b"old")
    monkeypatch.setattr(FigureCanvasAgg, "print_png", full_disk)
    with pytest.raises(OSError, match="No space"):
        plot_run(path, history=HISTORY, label=data[0], probability=data[1], title="")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["run.png"]
    monkeypatch.undo()
    plot_run(path, history=HISTORY, label=data[0], probability=data[1], title="")
    assert pixels(path).shape == (500, 1500) and os.listdir(tmp_path) == ["run.png"]


def test_the_users_matplotlib_is_left_alone(tmp_path: Path) -> None:
    program = """
import json, sys
import matplotlib
matplotlib.use("pdf")
matplotlib.rcParams.update({"text.usetex": True, "font.size": 30, "axes.facecolor": "black"})
before = dict(matplotlib.rcParams)
from fastdl.report import plot_run
history = {"step_loss": [0.7, 0.6], "steps_per_epoch": 2}
plot_run(sys.argv[1], history=history, label=[0, 1, 1], probability=[0.2, 0.6, 0.1], title="t")
print(json.dumps([dict(matplotlib.rcParams) == before, matplotlib.get_backend(),
                  "matplotlib.pyplot" in sys.modules]))
"""
    path = tmp_path / "a.png"
    command = [sys.executable, "-W", "error", "-c", program, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, "pdf", False]
    assert pixels(path).mean() > 200  # the black panels of the user's style are not in it


def test_heavy_libraries_are_not_imported_with_the_module() -> None:
    program = (
        "import sys, fastdl.report; print([m for m in ('matplotlib', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"path": "a.pdf"}, ValueError, "must end in .png"),
        ({"path": "missing/a.png"}, ValueError, "does not exist"),
        ({"history": {"step_loss": [1]}}, ValueError, 'no "steps_per_epoch"'),
        ({"history": {"steps_per_epoch": 1}}, ValueError, 'no "step_loss"'),
        ({"history": {**HISTORY, "steps_per_epoch": 0}}, ValueError, "1 or more"),
        ({"history": {**HISTORY, "steps_per_epoch": 1.5}}, TypeError, "must be an int"),
        ({"history": {**HISTORY, "step_loss": [[1]]}}, ValueError, r"got shape \(1, 1\)"),
        ({"history": {**HISTORY, "val_loss": [0.5]}}, ValueError, "equally long"),
        ({"label": [0, 2]}, ValueError, "0 or 1, got 2"),
        ({"probability": [0.5, np.nan]}, ValueError, "got nan in row 1"),
        ({"best_possible": [0.5]}, ValueError, "1 values for 2 labels"),
    ],
)
def test_bad_input_leaves_no_file(
    tmp_path: Path, change: dict[str, Any], error: type, message: str
) -> None:
    arguments = {"history": HISTORY, "label": [0, 1], "probability": [0.1, 0.2], "title": ""}
    arguments |= {name: value for name, value in change.items() if name != "path"}
    with pytest.raises(error, match=message):
        plot_run(tmp_path / change.get("path", "a.png"), **arguments)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


def printed(table: Any) -> list[str]:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_table(data: Data) -> None:
    y, p, true = data
    model, best = metrics.evaluate(y, p), metrics.evaluate(y, true)
    base = metrics.evaluate(y, np.full(len(y), y.mean()))
    lines = printed(metrics_table(model, base, best))
    assert lines[1].split() == (
        f"┃ test rows: 3,000, clicks: {y.sum()} ┃ model ┃ base rate ┃ best possible ┃".split()
    )
    shown = {line.split("│")[1].strip(): line.split("│")[2:5] for line in lines if "│" in line}
    columns = (model, base, best)
    for name, key, digits in (
        ("AUC", "auc", 4),
        ("log loss (nats)", "log_loss", 5),
        ("calibration (predicted / observed)", "calibration", 3),
    ):
        assert [cell.strip() for cell in shown[name]] == [f"{c[key]:.{digits}f}" for c in columns]
    assert shown["AUC"][1].strip() == "0.5000"


def test_table_without_base_and_with_undefined_values() -> None:
    table = metrics_table(metrics.evaluate([0, 0], [0.1, 0.2]))
    assert [column.header for column in table.columns] == ["test rows: 2, clicks: 0", "model"]
    assert list(table.columns[1].cells) == ["-", "0.16425", "-"]
