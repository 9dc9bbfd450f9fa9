"""The sections of the page of a training of a GAN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import gan_panels as panels
from .gallery import Folder, figure, gallery, image
from .markup import Markup, card, escaped, section, table
from .panels import grid
from .sections import history_table_of, options
from .svg import inline_svg
from .texts import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = Mapping[str, Any]
_SIZE = (5.6, 4.0)
_CLASSES = 20  # whose balance is drawn
FRECHET = "Fréchet distance on the features of our own classifier"
_OF = {"classes": "the images' classes", "turns": "by which quarter turn an image was turned"}


def headline(results: Results) -> Markup:
    """Distances beside the floor of real images, and what neighbours and the classifier say."""
    test = results.get("test")
    if not test:
        return Markup()
    cards = [
        card("kernel distance", short(test.get("kernel")),
             f"real images among themselves {short(test.get('kernel_floor'))}"),
        card("precision · recall",
             _two(test, "precision", "recall"),
             f"real images {_two(test, 'precision_floor', 'recall_floor')} · density, coverage "
             f"{_two(test, 'density', 'coverage')}, "
             f"real {_two(test, 'density_floor', 'coverage_floor')}"),
    ]  # fmt: skip
    if test.get("frechet") is not None:
        floor = f"real images among themselves {short(test.get('frechet_floor'))}"
        cards.insert(0, card("Fréchet distance", short(test["frechet"]), floor))
    if test.get("recognised") is not None:
        cards.append(
            card("recognised", f"{100 * test['recognised']:.1f}%",
                 f"as the class they were made by; of real images {_percent(test.get('accuracy'))}")
        )  # fmt: skip
    return section("Test", f'<div class="cards">{"".join(cards)}</div>', about=_about(test))


def _two(test: Results, *names: str) -> str:
    return " · ".join(digits(test.get(name), 2) for name in names)


def _about(test: Results) -> str:
    count, real = test.get("count"), test.get("real")
    of = (
        f"{count:,} generated images against {real:,} held-out real ones. "
        if count and real
        else ""
    )
    learned = _OF.get(str(test.get("kind")), "the images")
    return (
        f"{of}All is told on the features of a small network of our own, which learned {learned}: "
        "the distances are not Inception's FID and compare with those of the same run alone. The "
        "less distance the better; real images among themselves are the floor. Precision: the share"
        " of generated images that are among real ones; recall and coverage: the share of real "
        "images that are among generated ones."
    )


def samples(results: Results, folder: Folder) -> Markup:
    """What the generator makes, and how that came to be."""
    found = (results.get("pictures") or {}).get("samples") or []
    figures = []
    for own in found:
        rows = ", ".join(map(str, own.get("rows") or ()))
        told = f"the last epoch; a class in each row: {escaped(rows)}" if rows else "the last epoch"
        figures.append(figure([image(own["files"][0], folder, "Generated images", "sheet")], told))
    for own in (results.get("pictures") or {}).get("animation") or []:
        moving = image(own["files"][0], folder, "The same images over the epochs", "sheet")
        figures.append(figure([moving], f"from before training to epoch {own['epochs']}"))
    about = "Images of always the same random numbers. Every epoch's grid is in the run folder."
    return section("Generated images", gallery(figures, "sheets"), about=about)


def epochs(results: Results, folder: Folder) -> Markup:
    """Some images after some epochs."""
    strips = [
        figure([image(own["files"][0], folder, f"after epoch {own['epoch']}", "sheet")],
               f"epoch {own['epoch']}")
        for own in (results.get("pictures") or {}).get("strips") or []
    ]  # fmt: skip
    return section("Epoch by epoch", gallery(strips, "all rows"))


def learning(results: Results) -> Markup:
    """Both losses, scores and distances over the epochs."""
    curves, history = results.get("loss_curves"), results.get("history") or {}
    drawn = []
    if curves:
        drawn.append(_panel("losses", "Both losses", lambda ax: panels.draw_losses(ax, curves)))
        drawn.append(_panel("scores", "Scores", lambda ax: panels.draw_scores(ax, curves)))
    for name, title in (("frechet", "Fréchet distance"), ("kernel", "Kernel distance")):
        if any(value is not None for value in history.get(name) or ()):
            drawn.append(_panel(name, title, _distance(results, name, title)))
    if any(value is not None for value in history.get("coverage") or ()):
        drawn.append(
            _panel("neighbours", "Precision, recall, density and coverage",
                   lambda ax: panels.draw_neighbours(ax, history))
        )  # fmt: skip
    return section("Training", grid(*drawn), history_table_of(results))


def _distance(results: Results, name: str, title: str) -> Callable[[Axes], None]:
    return lambda ax: panels.draw_distance(ax, results, name, title)


def _panel(name: str, text: str, draw: Callable[[Axes], None]) -> str:
    return inline_svg(name, draw, text, *_SIZE)


def events(results: Results) -> Markup:
    """What was noticed while it trained."""
    found = results.get("events")
    if found is None:
        return Markup()
    rows = [(f"{own['epoch']}", own["kind"], own["message"]) for own in found]
    inside = table(("after epoch", "event", ""), (), rows)
    if not rows:
        inside = Markup("<p>Neither collapse nor divergence was noticed.</p>")
    return section("Events", inside)


def balance(results: Results) -> Markup:
    """Which classes are made, as the classifier sees them."""
    test = results.get("test") or {}
    names, made = test.get("classes"), test.get("shares")
    if not names or not made:
        return Markup()
    real = test.get("real_shares") or [1 / len(names)] * len(names)
    rows = [
        (name, f"{100 * own:.1f}%", f"{100 * theirs:.1f}%")
        for name, own, theirs in zip(names, made, real, strict=True)
    ]
    drawn = Markup()
    if len(names) <= _CLASSES:
        height = 1.2 + 0.32 * len(names)
        drawn = grid(
            inline_svg("balance", lambda ax: panels.draw_balance(ax, names, made, real),
                       "Balance of the classes", 5.6, height)
        )  # fmt: skip
    inside = table(["class"], ("generated", "real"), rows)
    about = "Which share of the generated images the classifier takes for each class."
    return section("Classes", f'<div class="pair">{inside}{drawn}</div>', about=about)


def nearest(results: Results, folder: Folder) -> Markup:
    """Generated images beside the training images that are most like them."""
    figures = []
    for own in (results.get("pictures") or {}).get("neighbours") or []:
        among = (
            f"{own['among']:,} of {own['of']:,}" if own["among"] < own["of"] else f"{own['of']:,}"
        )
        picture = image(own["files"][0], folder, "Images and their neighbours", "sheet")
        told = (
            f"left a generated image, right of it the nearest of {among} training images, pixel by "
            "pixel"
        )
        figures.append(figure([picture], told))
    rows = _quantiles(results.get("test") or {})
    about = (
        "A generator that has learned images by heart would make some that are nearer to training "
        "images than other real images are."
    )
    numbers = ("generated", "held-out real")
    quantiles = table(["distance to the nearest training image, 1 % quantile"], numbers, rows)
    return section("Nearest training images", gallery(figures, "sheets"), quantiles, about=about)


def _quantiles(test: Results) -> list[tuple[str, str, str]]:
    rows = []
    for name, text in (("pixels", "in pixels"), ("features", "in features")):
        own = test.get(f"nearest_{name}")
        if own is not None:
            rows.append((text, short(own), short(test.get(f"nearest_{name}_real"))))
    return rows


def interpolations(results: Results, folder: Folder) -> Markup:
    """Images between two images."""
    figures = []
    for own in (results.get("pictures") or {}).get("interpolations") or []:
        rows = ", ".join(map(str, own.get("rows") or ()))
        told = f"by row: {escaped(rows)}" if rows else ""
        picture = image(own["files"][0], folder, "Images between two images", "sheet")
        figures.append(figure([picture], told))
    about = (
        "From the left image to the right one along an arc between their random numbers: steps "
        "without jumps tell that the generator has learned more than single images."
    )
    return section("Interpolations", gallery(figures, "sheets"), about=about)


def short(value: float | None) -> str:
    """Three digits, a dash for None."""
    return "-" if value is None else f"{value:.3g}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def gan_sections(folder: Path | None) -> dict[str, Any]:
    """The sections by the results' keys; pictures come from a run's folder of them."""
    from .image_sections import skipped

    def of(make: Any) -> Any:
        return lambda results: make(results, folder)

    return {
        "test": headline, "samples": of(samples), "strips": of(epochs), "history": learning,
        "events": events, "shares": balance, "neighbours": of(nearest),
        "interpolations": of(interpolations), "skipped": skipped, "facts and job": options,
    }  # fmt: skip
