"""The benchmark suites: found, refused, and their timing."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import pytest

from fastdl import bench

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_every_suite_has_its_file():
    for commands in bench.SUITES.values():
        for command in commands:
            assert command[0] == "-m" or (BENCHMARKS / command[0]).is_file()
    assert set(bench.QUICK) <= set(bench.SUITES)


def test_unknown_suite():
    with pytest.raises(ValueError, match="'odd'; the suites are all, training"):
        bench.run_suite("odd")


def test_outside_a_checkout_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "fastdl" / "bench.py"))
    with pytest.raises(FileNotFoundError, match="clone the repository"):
        bench.run_suite("training")


def test_sides_take_turns_and_their_medians_are_right():
    pytest.importorskip("threadpoolctl")
    spec = importlib.util.spec_from_file_location("common", BENCHMARKS / "common.py")
    common = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(common)
    order = []
    sides = {
        "fastdl": lambda: (order.append("a"), time.sleep(0.002)),
        "other": lambda: (order.append("b"), time.sleep(0.004)),
    }
    times = common.alternate(sides, rounds=5, least=0.0)
    assert "".join(order) == "aabb" + "aabb" * 5
    assert times["fastdl"][0] >= 0.002
    assert times["other"][0] >= 0.004
    row = common.row("sleep", times)
    assert row["ratios"] == {"other": times["other"][0] / times["fastdl"][0]}
    assert common.duration(row["seconds"]).endswith("ms")
