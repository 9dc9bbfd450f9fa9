"""Every example in a docstring runs as it is written."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import fastdl

MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(fastdl.__path__, "fastdl.")
    if "__main__" not in info.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_the_examples_are_found():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES]
    assert sum(bool(test.examples) for m in modules for test in finder.find(m)) > 20
