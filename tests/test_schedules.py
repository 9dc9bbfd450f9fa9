"""Learning-rate schedules against PyTorch's, their state and descriptions, and bad input."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastdl.schedules import (
    Constant,
    CosineDecay,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmUp,
    from_description,
)

EXAMPLES: list[Schedule] = [
    Constant(0.1),
    StepDecay(0.1, 7, 0.5),
    CosineDecay(0.1, 30, 0.001),
    WarmUp(CosineDecay(0.2, 20), 5, 0.01),
    WarmUp(ReduceOnPlateau(0.3), 4),
    ReduceOnPlateau(0.3, 0.5, 2, 0.01, "abs", cooldown=1, minimum=0.01, mode="max", eps=0.0),
]


def torch_rates(make: Callable[[Any, Any], Any], lr: float, steps: int) -> list[float]:
    """The rate that PyTorch uses in each step."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # SequentialLR uses a deprecated argument
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
    return rates


def test_step_decay_equals_torch() -> None:
    expected = torch_rates(lambda s, o: s.StepLR(o, 4, 0.3), 0.2, 30)
    np.testing.assert_allclose(StepDecay(0.2, 4, 0.3).rates(0, 30), expected, rtol=1e-12)
    assert expected[3] != expected[4]


def test_cosine_decay_equals_torch_and_then_stays() -> None:
    expected = torch_rates(lambda s, o: s.CosineAnnealingLR(o, 25, 0.01), 0.2, 26)
    schedule = CosineDecay(0.2, 25, 0.01)
    np.testing.assert_allclose(schedule.rates(0, 26), expected, rtol=1e-10)
    assert schedule.rates(25, 60).tolist() == [0.01] * 35


@pytest.mark.parametrize("wrapped", [Constant(0.2), CosineDecay(0.2, 10, 0.02), StepDecay(0.2, 3)])
def test_warm_up_equals_torch(wrapped: Schedule) -> None:
    def make(s: Any, o: Any) -> Any:
        after = {
            "Constant": lambda: s.ConstantLR(o, 1.0),
            "CosineDecay": lambda: s.CosineAnnealingLR(o, 10, 0.02),
            "StepDecay": lambda: s.StepLR(o, 3, 0.1),
        }[type(wrapped).__name__]()
        return s.SequentialLR(o, [s.LinearLR(o, 0.25, total_iters=6), after], [6])

    expected = torch_rates(make, 0.2, 17)
    np.testing.assert_allclose(WarmUp(wrapped, 6, 0.05).rates(0, 17), expected, rtol=1e-10)


def test_warm_up_is_linear_and_ends_at_the_first_rate() -> None:
    schedule = WarmUp(StepDecay(0.8, 2, 0.5), 4)
    assert schedule.rates(0, 8).tolist() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4])
    down = WarmUp(Constant(0.1), 2, start=0.3)
    assert down.rates(0, 3).tolist() == pytest.approx([0.3, 0.2, 0.1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.5, 0.9999, 1.0, 1.001, 2.0]), min_size=5, max_size=40),
    st.sampled_from(["min", "max"]),
    st.sampled_from(["rel", "abs"]),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([0.0, 1e-3]),
    st.sampled_from([0.0, 1e-4, 0.1]),
)
def test_plateau_equals_torch(
    metrics: list[float],
    mode: str,
    threshold_mode: str,
    patience: int,
    cooldown: int,
    minimum: float,
    threshold: float,
) -> None:
    torch = pytest.importorskip("torch")
    ours = ReduceOnPlateau(
        0.1, 0.2, patience, threshold, threshold_mode, cooldown, minimum, mode, eps=1e-5
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=mode,
        factor=0.2,
        patience=patience,
        threshold=threshold,
        threshold_mode=threshold_mode,
        cooldown=cooldown,
        min_lr=minimum,
        eps=1e-5,
    )
    for metric in metrics:
        ours.update(metric)
        theirs.step(metric)
        assert ours.rate(0) == optimizer.param_groups[0]["lr"]


def test_plateau_defaults_reduce_after_eleven_bad_epochs() -> None:
    schedule = ReduceOnPlateau(0.1)
    rates = []
    for _ in range(13):
        schedule.update(0.5)
        rates.append(schedule.rate(99))
    assert rates == [0.1] * 11 + [0.1 * 0.1] * 2
    assert schedule.rates(3, 5).tolist() == [schedule.rate(0)] * 2


def test_warm_up_passes_the_metric_on() -> None:
    schedule = WarmUp(ReduceOnPlateau(0.4, factor=0.5, patience=0), steps=4)
    for metric in (1.0, 1.0):
        schedule.update(metric)
    assert schedule.rates(0, 6).tolist() == pytest.approx([0, 0.05, 0.1, 0.15, 0.2, 0.2])
    assert schedule.watched == WarmUp(Constant(0.1), 2).watched == "val_loss"


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_rates_have_the_bits_of_rate(schedule: Schedule) -> None:
    rates = schedule.rates(3, 40)
    assert rates.dtype == np.float64 and rates.shape == (37,)
    assert rates.tolist() == [schedule.rate(step) for step in range(3, 40)]
    assert np.array_equal(rates[10:], schedule.rates(13, 40))
    assert isinstance(schedule.rate(np.int64(5)), float)
    assert schedule.rates(4, 4).shape == (0,)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=repr)
def test_description_and_state_survive_json(schedule: Schedule) -> None:
    other = from_description(json.loads(json.dumps(schedule.describe())))
    assert other == schedule and type(other) is type(schedule)
    for metric in (1.0, 2.0, 2.0, 1.0, 1.0, 1.0):
        other.update(metric)
    again = from_description(other.describe())
    again.load_state(json.loads(json.dumps(other.state(), allow_nan=False)))
    assert again == other
    for metric in (1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0):
        other.update(metric)
        again.update(metric)
        assert again.rate(7) == other.rate(7)


def test_numpy_numbers_are_stored_as_plain_ones() -> None:
    schedule = CosineDecay(np.float32(0.5), np.int32(8), np.float64(0.0))  # type: ignore[arg-type]
    assert json.dumps(schedule.describe()["config"]) == (
        '{"lr": 0.5, "total_steps": 8, "minimum": 0.0}'
    )


def test_a_schedule_of_the_users_own() -> None:
    class Inverse(Schedule):
        def _at(self, step: int) -> float:
            return 1 / (1 + step)

    assert WarmUp(Inverse(), 2).rates(0, 5).tolist() == pytest.approx([0, 0.5, 1, 1 / 2, 1 / 3])
    assert Inverse().describe() == {"class": "Inverse", "config": {}}
    with pytest.raises(ValueError, match="Unknown schedule 'Inverse'; known are Constant"):
        from_description(Inverse().describe())


@pytest.mark.parametrize(
    "make",
    [
        Constant,
        lambda lr: StepDecay(lr, 3),
        lambda lr: CosineDecay(lr, 3),
        ReduceOnPlateau,
    ],
)
@pytest.mark.parametrize(
    "lr, error",
    [
        (0, ValueError),
        (-0.1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (True, TypeError),
        ("0.1", TypeError),
        (None, TypeError),
        (1j, TypeError),
    ],
)
def test_bad_rates(make: Callable[[Any], Schedule], lr: object, error: type) -> None:
    with pytest.raises(error, match=r": lr must be .*, got"):
        make(lr)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: StepDecay(0.1, 0), ValueError, "step_size must be 1 or more, got 0"),
        (lambda: StepDecay(0.1, 2.0), TypeError, "step_size must be an int, got 2.0"),
        (lambda: StepDecay(0.1, True), TypeError, "step_size must be an int"),
        (lambda: StepDecay(0.1, 3, 1.5), ValueError, "gamma must be at most 1"),
        (lambda: StepDecay(0.1, 3, 0), ValueError, "gamma must be above 0"),
        (lambda: CosineDecay(0.1, -1), ValueError, "total_steps must be 1 or more"),
        (lambda: CosineDecay(0.1, 3, 0.2), ValueError, "minimum 0.2 must not be above lr 0.1"),
        (lambda: CosineDecay(0.1, 3, -0.2), ValueError, "minimum must not be negative"),
        (lambda: WarmUp(0.1, 3), TypeError, r"WarmUp\(Constant\(lr\), steps\)"),
        (lambda: WarmUp(Constant(0.1), 0), ValueError, "steps must be 1 or more"),
        (lambda: WarmUp(Constant(0.1), 3, -1), ValueError, "start must not be negative"),
        (lambda: WarmUp(Constant(0.1), 3, math.nan), ValueError, "start must be finite"),
        (lambda: ReduceOnPlateau(0.1, 1.0), ValueError, "factor must be below 1"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), ValueError, "patience must be 0 or more"),
        (lambda: ReduceOnPlateau(0.1, patience=1.5), TypeError, "patience must be an int"),
        (lambda: ReduceOnPlateau(0.1, threshold=-1), ValueError, "threshold must not be neg"),
        (lambda: ReduceOnPlateau(0.1, cooldown=True), TypeError, "cooldown must be an int"),
        (lambda: ReduceOnPlateau(0.1, mode="up"), ValueError, '"min" or "max", got \'up\''),
        (lambda: ReduceOnPlateau(0.1, threshold_mode="x"), ValueError, '"rel" or "abs"'),
        (lambda: ReduceOnPlateau(0.1).update(math.nan), ValueError, "metric must be finite"),
        (lambda: ReduceOnPlateau(0.1).update(None), TypeError, "metric must be a number"),
        (lambda: Constant(0.1).rate(-1), ValueError, "step must be 0 or more"),
        (lambda: Constant(0.1).rate(1.0), TypeError, "step must be an int"),
        (lambda: Constant(0.1).rate(True), TypeError, "step must be an int"),
        (lambda: Constant(0.1).rates(5, 4), ValueError, "stop must be 5 or more, got 4"),
        (lambda: Constant(0.1).load_state({"rate": 1}), ValueError, r"keys \[\], got \['rate'\]"),
        (lambda: ReduceOnPlateau(0.1).load_state({}), ValueError, "must have the keys"),
        (lambda: ReduceOnPlateau(0.1).load_state([]), TypeError, "state must be a dict"),
        (lambda: from_description({"class": "Constant"}), ValueError, "must have the keys"),
        (lambda: from_description({"class": "os", "config": {}}), ValueError, "Unknown schedule"),
        (lambda: from_description({"class": [], "config": {}}), ValueError, "Unknown schedule"),
        (lambda: from_description({"class": "Constant", "config": 1}), TypeError, "config must be"),
        (
            lambda: from_description({"class": "Constant", "config": {"lr": 1, "x": 2}}),
            ValueError,
            r"has no option \['x'\]; it has \['lr'\]",
        ),
        (lambda: from_description({"class": "WarmUp", "config": {}}), TypeError, "schedule"),
    ],
)
def test_bad_input(make: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "change", [{"rate": -1.0}, {"rate": math.nan}, {"best": math.inf}, {"bad_epochs": -1}]
)
def test_a_damaged_state_changes_nothing(change: dict[str, float]) -> None:
    schedule = ReduceOnPlateau(0.1)
    before = schedule.state()
    with pytest.raises(ValueError, match="state's"):
        schedule.load_state({**before, **change})
    assert schedule.state() == before
