"""The examples in the docstrings of fm run."""

import doctest
import importlib
import pkgutil

import pytest

import fm

MODULES = sorted(module.name for module in pkgutil.walk_packages(fm.__path__, "fm."))


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs(name: str) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for examples in doctest.DocTestFinder().find(importlib.import_module(name), name):
        runner.run(examples, out=said.append)
    assert not runner.failures, "".join(said)
