"""The sections of the page of a training on images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import panels
from .confusion import confusion_table, pairs_table
from .gallery import Folder, decisions, figure, gallery, image
from .markup import Markup, card, escaped, section, table
from .sections import learning, options
from .texts import digits, shown

Results = Mapping[str, Any]


def headline(results: Results) -> Markup:
    """Accuracy, log loss and the means of the classes' figures."""
    test = results.get("test")
    if not test:
        return Markup()
    base = results.get("base_rate") or {}
    wrong = round(test["rows"] * (1 - test["accuracy"]))
    macro = test["macro"]
    cards = [
        card("accuracy", f"{100 * test['accuracy']:.2f}%",
             f"{wrong:,} of {test['rows']:,} are wrong"
             + _against(base.get("accuracy"), "most frequent class {:.1%}")),
        card("log loss (nats)", digits(test["log_loss"], 4),
             _against(base.get("log_loss"), "shares of the classes {:.4f}").removeprefix(" · ")),
        card("macro F1", digits(macro["f1"], 4),
             f"precision {macro['precision']:.4f} · recall {macro['recall']:.4f}"),
    ]  # fmt: skip
    calibration = f"expected calibration error {test['ece']:.4f}"
    if test.get("top_k_accuracy") is not None:
        calibration += f"; accuracy of the first {test['top_k']} {test['top_k_accuracy']:.2%}"
    about = f"On {test['rows']:,} {results.get('tested_on', 'test')} images; {calibration}."
    return section("Test", f'<div class="cards">{"".join(cards)}</div>', about=about)


def confused(results: Results) -> Markup:
    """The confusion matrix and the most frequent mistakes."""
    test = results.get("test")
    if not test:
        return Markup()
    inside = f'<div class="pair">{confusion_table(test)}{pairs_table(test)}</div>'
    return section(
        "Confusion", inside, about="How many images of each class were taken for which, and the "
        "share of the class's images.",
    )  # fmt: skip


def by_class(results: Results) -> Markup:
    """Precision, recall, F1 and images of each class, and how sure the network was."""
    test = results.get("test")
    if not test:
        return Markup()
    train = (results.get("counts") or {}).get("train") or {}
    rows = [
        (own["name"], *(digits(own[key], 4) for key in ("precision", "recall", "f1")),
         f"{own['support']:,.6g}", f"{train[own['name']]:,}" if own["name"] in train else "-")
        for own in test["classes"]
    ]  # fmt: skip
    for name in ("macro", "weighted"):
        figures = (digits(test[name][key], 4) for key in ("precision", "recall", "f1"))
        rows.append((f"{name} mean", *figures, "-", "-"))
    numbers = ("precision", "recall", "F1", "images", "in training")
    picture = panels.confidence(results.get("confidence") or {})
    inside = f'<div class="pair">{table(["class"], numbers, rows)}{picture}</div>'
    about = (
        "Precision: of the images said to be of the class, the share that are. Recall: of the "
        "class's images, the share that were said to be."
    )
    return section("Classes", inside, about=about)


def wrong(results: Results, folder: Folder) -> Markup:
    """The mistakes of which the network was surest."""
    about = (
        "The mistakes that gave the right class the least probability. Beside each image: what "
        "spoke for the class that was said, and what for its own (Grad-CAM: from nothing over "
        "yellow to red, each map by its own largest value)."
    )
    return section("Most wrong", decisions(_group(results, "wrong"), folder), about=about)


def right(results: Results, folder: Folder) -> Markup:
    """Images that were surely right, with what decided."""
    about = "Images of which the network was surest, and what decided (Grad-CAM)."
    return section("Surely right", decisions(_group(results, "right"), folder), about=about)


def filters(results: Results, folder: Folder) -> Markup:
    """Those of the first convolution."""
    found = _group(results, "filters")
    if not found:
        return Markup()
    own = found[0]
    sheet = image(own["files"][0], folder, "Filters of the first convolution", "sheet")
    colours = " in colour" if own["channels"] == 3 else ""
    about = (
        f"The {own['count']} filters of the first convolution, {own['height']} x {own['width']} "
        f"pixels{colours}; the middle grey is a weight of 0."
    )
    return section("Filters", sheet, about=about)


def examples(results: Results, folder: Folder) -> Markup:
    """Images of each class."""
    figures = []
    for own in _group(results, "classes"):
        images = [image(name, folder, f"of class {own['label']}") for name in own["files"]]
        figures.append(figure(images, f"<b>{escaped(own['label'])}</b>"))
    about = "Training images as the network is given them, before they are changed at random."
    return section("Images of each class", gallery(figures, "strips"), about=about)


def augmented(results: Results, folder: Folder) -> Markup:
    """Images as training changes them."""
    strips = [
        figure([image(name, folder, "an augmented image") for name in own["files"]], "")
        for own in _group(results, "augmented")
    ]
    job = results.get("job") or {}
    asked = shown(job.get("augment"))
    about = f"Training images as one epoch has them, with the augmentation: {asked}."
    return section("Augmented images", gallery(strips, "all"), about=about)


def skipped(results: Results) -> Markup:
    """Files that were left out, by reason."""
    rows = [
        (own["file"], own["reason"], (own.get("examples") or [""])[0], f"{own['rows']:,}")
        for own in results.get("skipped") or ()
    ]
    return section("Skipped", table(("file", "reason", "for example"), ("images",), rows))


def _group(results: Results, name: str) -> list[Mapping[str, Any]]:
    return list((results.get("pictures") or {}).get(name) or ())


def _against(value: float | None, text: str) -> str:
    return "" if value is None or not np.isfinite(value) else f" · {text.format(value)}"


def image_sections(folder: Path | None) -> dict[str, Any]:
    """The sections by the results' keys; pictures come from a run's folder of them."""

    def of(make: Any) -> Any:
        return lambda results: make(results, folder)

    return {
        "test": headline, "confusion": confused, "classes": by_class, "wrong": of(wrong),
        "right": of(right), "history": learning, "filters": of(filters), "examples": of(examples),
        "augmented": of(augmented), "skipped": skipped, "facts and job": options,
    }  # fmt: skip
