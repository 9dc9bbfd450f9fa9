"""The page: its numbers, what is left out, nothing from elsewhere, nothing injected; its curves."""

from __future__ import annotations

import itertools
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastdl import metrics
from fastdl.report import curves, loss_curve, write_page
from fastdl.report.histogram import BINS, draw_histogram, histogram

BAD = '<script>alert("1")</script>\'><img src=x onerror=alert(2)>&amp;\x00\x1b[31m\ud800'


class Page(HTMLParser):
    """Tags, texts and attributes, as a browser's parser meets them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data)


def written(folder: Path, results: dict[str, Any]) -> tuple[str, Page]:
    path = folder / "page.html"
    write_page(path, json.loads(json.dumps(results)))
    text = path.read_text(encoding="utf-8")
    assert [p.name for p in folder.iterdir()] == ["page.html"]
    return text, Page(text)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    logit = rng.standard_normal(20_000) - 2
    true = 1 / (1 + np.exp(-logit))
    guess = 1 / (1 + np.exp(-(logit + 0.5 * rng.standard_normal(20_000))))
    return rng.random(20_000) < true, guess, true


@pytest.fixture(scope="module")
def results(data) -> dict[str, Any]:
    y, p, true = data
    rows = list(range(1000, 11_000, 1000))
    return {
        "test": metrics.evaluate(y, p),
        "base_rate": metrics.evaluate(y, np.full(len(y), y.mean())),
        "best_possible": metrics.evaluate(y, true),
        "history": {"epoch": [1, 2], "loss": [0.5, 0.4], "val_loss": [0.46, 0.47],
                    "val_accuracy": [None, None], "val_auc": [0.7, 0.71], "lr": [0.001, 0.001],
                    "seconds": [1.5, 1.25]},
        "loss_curve": loss_curve(np.linspace(0.6, 0.4, 2000), 1000),
        "curves": curves(y, p, true),
        "progressive": {"rows": rows, "log_loss": [0.5] * 10, "auc": [None] + [0.7] * 9,
                        "calibration": [None] * 10},
        "by": {"city": {"Rome": metrics.evaluate(y[:500], p[:500]),
                        "": metrics.evaluate([0, 0], [0.1, 0.2])}},
        "importance": {"metric": "auc", "baseline": 0.7, "rows": 20_000, "repeats": 3, "features": [
            {"name": "hour", "mean": 0.0625, "std": 0.002},
            {"name": "noise", "mean": -0.0125, "std": 0.001}]},
        "columns": [["city", "category", "300 ids"], ["day", "left out", "it is constant"]],
        "facts": {"rows of training": 160_000, "seconds": 12.5, "fastdl": "0.1.0"},
        "job": {"data": "days/part-1.csv", "model": "deepfm", "hidden": [64, 32], "label": None},
    }  # fmt: skip


@pytest.fixture(scope="module")
def whole(results, tmp_path_factory) -> tuple[str, Page]:
    return written(tmp_path_factory.mktemp("page"), results)


def test_the_numbers_are_there(whole, data, results):
    text, page = whole
    y, _, true = data
    shown = " ".join(page.texts)
    test = results["test"]
    assert page.texts.count("deepfm on part-1.csv") == 2  # title and heading
    for figure in (
        f"{test['auc']:.4f}", f"{test['log_loss']:.5f}", f"{test['calibration']:.3f}",
        f"base rate 0.5000 · best possible {metrics.roc_auc(y, true):.4f}",
        f"On 20,000 test rows with {y.sum():,} clicks.",
        f"model, AUC {test['auc']:.4f}", f"model, average {test['average_precision']:.4f}",
        f"Calibration, predicted / observed {test['calibration']:.3f}",
        "validation, best 0.4600 after epoch 1", "validation, best 0.7100 after epoch 2",
        "training, mean of 84 steps", "0.06250", "-0.01250", "AUC lost", "(empty)", "300 ids",
        "160,000", "12.5", "64, 32", "Precision and recall", "Predicted probabilities",
        "Rome", "it is constant",
    ):  # fmt: skip
        assert figure in shown, figure
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings == ["Test", "Training", "Progressive validation", "Curves of the test rows",
                        "By value", "Importance", "Columns", "Run"]  # fmt: skip


def test_every_picture_is_drawn_in_the_pages_colours(whole):
    text, page = whole
    # loss, AUC, two of progressive validation (calibration is never defined), four of the test
    assert page.tags.count("svg") == 8
    drawn = text[text.index("</style>") :]
    assert not re.search("#[0-9a-fA-F]{6}", drawn)  # in the dark such a colour would stay light
    used, defined = (set(re.findall(p, text)) for p in (r"var\(--(\w+)\)", r"--(\w+):"))
    assert used <= defined and {"ink", "paper", "blue", "orange", "green"} <= used
    light, dark = (text.count(f"--{role}:") for role in ("ink", "blue"))
    assert light == dark == 2


def test_nothing_comes_from_elsewhere_and_nothing_runs(whole):
    text, page = whole
    assert "http" not in text.replace("http-equiv", "")
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value for name, value in page.attributes if name == "href"}
    links |= {f"#{name}" for name in re.findall(r"url\(#([^)]*)\)", text)}
    assert links and links <= {f"#{name}" for name in ids}


def test_texts_from_logs_inject_nothing(tmp_path, results, whole):
    one = metrics.evaluate([0, 1], [0.2, 0.6])
    bad = {
        **results,
        "by": {BAD: {BAD: one}},
        "columns": [[BAD, BAD, BAD]],
        "facts": {BAD: BAD},
        "job": {"data": BAD, "model": BAD, BAD: [BAD]},
        "importance": {**results["importance"],
                       "features": [{"name": BAD, "mean": 0.1, "std": 0.1}]},
    }  # fmt: skip
    text, page = written(tmp_path, bad)
    assert set(page.tags) == set(whole[1].tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "src"]
    assert '<script>alert("1")</script>\'><img src=x onerror=alert(2)>&amp;□□[31m□' in page.texts
    assert not re.search(r"[\x00\x1b]", text)


def test_a_page_of_much_is_small(tmp_path, results):
    one = metrics.evaluate([0, 1], [0.2, 0.6])
    many = 3000
    much = {
        **results,
        "by": {f"{i}" * 200: {f"<{k}>" * 100: one for k in range(500)} for i in range(100)},
        "columns": [["&" * 500, "category", "'" * 500]] * many,
        "history": {"epoch": list(range(1, many + 1)), "loss": [0.5] * many},
        "progressive": {"rows": list(range(100_000)), "log_loss": [0.5] * 100_000},
        "importance": {**results["importance"], "features": [
            {"name": f"{'<' * 500}{i}", "mean": 1 / (i + 1), "std": 0.1} for i in range(many)]},
    }  # fmt: skip
    text, page = written(tmp_path, much)
    assert len(text.encode()) < 1_500_000
    shown = " ".join(page.texts)
    assert (
        "2,700 more columns are not shown." in shown and "80 more columns are not shown." in shown
    )
    assert "2,900 less important features are not shown." in shown and "Last 100" in shown


@pytest.mark.parametrize(
    "key, heading",
    [("test", "Test"), ("columns", "Columns"), ("job", "Run"), ("facts", "Run"),
     ("importance", "Importance"), ("by", "By value"), ("history", "Training")],
)  # fmt: skip
def test_a_section_alone(tmp_path, results, key, heading):
    text, _ = written(tmp_path, {key: results[key]})
    assert re.findall(r"<h2>(.*?)</h2>", text) == [heading]


def test_todays_metrics_without_curves_and_with_none(tmp_path, results):
    keys = ("test", "base_rate", "history", "job")
    today = {key: results[key] for key in keys} | {"best_possible": None, "curves": None}
    text, page = written(tmp_path, today)
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Test", "Training", "Run"]
    assert "training, mean of an epoch" in page.texts and "best possible" not in text


def test_rows_of_one_class(tmp_path):
    y, p = np.zeros(50), np.linspace(0.1, 0.3, 50)
    found = curves(y, p)
    assert set(found) == {"calibration", "histogram"}
    _, page = written(tmp_path, {"test": metrics.evaluate(y, p), "curves": found})
    assert page.tags.count("svg") == 2


def test_the_same_results_give_the_same_bytes(tmp_path, results, whole):
    assert written(tmp_path, results)[0] == whole[0]


def test_curves_are_small_and_near(data):
    y, p, true = data
    found = curves(y, p, true)
    text = json.dumps(found, allow_nan=False)
    assert len(text) < 50_000
    for name, probability in (("roc", p), ("best_roc", true)):
        full = metrics.roc_curve(y, probability)
        drawn = found[name]
        assert len(drawn[0]) == len(drawn[1]) <= 500 < len(full[0])
        np.testing.assert_allclose(np.interp(full[0], *drawn), full[1], atol=4e-3)
    predicted, observed, rows = metrics.calibration_curve(y, p)
    np.testing.assert_allclose(found["calibration"]["predicted"], predicted, rtol=1e-5)
    np.testing.assert_allclose(found["calibration"]["observed"], observed, rtol=1e-5)
    assert found["calibration"]["rows"] == rows.tolist()


@pytest.mark.parametrize("ties", [False, True])
def test_precision_is_that_of_each_clicks_threshold(rng, ties):
    sklearn = pytest.importorskip("sklearn.metrics")
    y = rng.permutation(np.repeat([1, 0], [500, 1500]))  # the curve's 500 recalls are k / 500
    p = 1 / (1 + np.exp(-(rng.standard_normal(2000) + y)))
    p = p.round(1) if ties else p
    recall, precision = curves(y, p)["precision_recall"]
    np.testing.assert_allclose(recall, np.arange(1, 501) / 500, rtol=1e-5)
    theirs, levels, _ = sklearn.precision_recall_curve(y, p)
    best: dict[int, float] = {}
    for value, level in zip(theirs, levels, strict=True):
        best[round(500 * level)] = max(value, best.get(round(500 * level), 0))
    for clicks in set(best) - {0}:
        np.testing.assert_allclose(precision[clicks - 1], best[clicks], rtol=1e-5)
    assert ties or len(best) == 501


def test_histogram_counts_every_row(data):
    y, p, _ = data
    found = histogram(y, p)
    odds = np.log(p / (1 - p))
    edges = np.linspace(odds.min(), odds.max(), BINS + 1)
    np.testing.assert_allclose(found["edges"], 1 / (1 + np.exp(-edges)), rtol=1e-9)
    # rows within rounding of an edge may fall on either side of it
    for name, own in (("clicks", y), ("others", ~y)):
        expected = np.histogram(odds[own], edges)[0]
        assert found[name].sum() == own.sum() and np.abs(found[name] - expected).max() <= 1


@pytest.mark.parametrize("p", [[0.0, 1.0, 0.5], [0.3] * 3, [0.0] * 3, [1e-30, 2e-30, 0.999999999]])
def test_extreme_probabilities_are_drawn(tmp_path, p):
    y = [0, 1, 0]
    found = curves(y, p)
    assert sum(found["histogram"]["clicks"]) == 1 and sum(found["histogram"]["others"]) == 2
    _, page = written(tmp_path, {"test": metrics.evaluate(y, p), "curves": found})
    assert page.tags.count("svg") == 4


@pytest.mark.parametrize(
    "low, high",
    [(1e-5, 1e-3), (1e-6, 1 - 1e-6), (0.4, 0.6), (0.0199, 0.0201), (0.02, 0.5), (0.1, 0.999)],
)
def test_ticks_of_probabilities_do_not_overlap(low, high):
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    canvas, ax = FigureCanvasAgg(figure), figure.subplots()
    draw_histogram(ax, histogram([0, 1, 0], [low, high, high]))
    canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    boxes.sort(key=lambda box: box.x0)
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_loss_curve_is_small_and_has_gaps(tmp_path):
    loss = np.random.default_rng(1).random(40_000)
    loss[:160] = np.nan
    found = loss_curve(loss, 10_000)
    json.dumps(found, allow_nan=False)
    assert len(found["epoch"]) == 500 and found["loss"][:2] == [None, None]
    np.testing.assert_allclose(found["loss"][2:], loss.reshape(500, 80).mean(1)[2:], rtol=1e-5)
    np.testing.assert_allclose(found["epoch"][-1], 4 - 0.5 * 80 / 10_000, rtol=1e-5)
    assert loss_curve([], 5) == {"epoch": [], "loss": [], "smoothed": [], "window": 1}
    history = {"epoch": [], "loss": []}
    with pytest.raises(ValueError, match="nothing to show"):
        write_page(tmp_path / "a.html", {"loss_curve": loss_curve([], 5), "history": history})


@pytest.mark.parametrize(
    "name, results, error, message",
    [
        ("a.pdf", {"job": {"a": 1}}, ValueError, "must end in .html"),
        ("missing/a.html", {"job": {"a": 1}}, ValueError, "does not exist"),
        ("a.html", [1], TypeError, "results is list; expected a dict"),
        ("a.html", {}, ValueError, "nothing to show: its keys are none"),
        ("a.html", {"other": 1}, ValueError, "its keys are other"),
        ("a.html", {"test": {"auc": 0.5}}, ValueError, "The results' test cannot be shown"),
        ("a.html", {"by": {"city": [1]}}, ValueError, "The results' by cannot be shown"),
        ("a.html", {"columns": [["a"]]}, ValueError, "The results' columns cannot be shown"),
        ("a.html", {"progressive": {"rows": [1], "auc": [1, 1]}}, ValueError, "2 figures for 1"),
        ("a.html", {"importance": {"features": [{}]}}, ValueError, "importance cannot be shown"),
    ],
)
def test_bad_results_leave_no_file(tmp_path, name, results, error, message):
    with pytest.raises(error, match=message):
        write_page(tmp_path / name, results)
    assert not list(tmp_path.iterdir())
