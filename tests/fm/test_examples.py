"""The examples in the docstrings of fm run, and every public class has one."""

import doctest
import importlib
import inspect
import pkgutil

import pytest
from lightning import Callback, LightningDataModule, LightningModule

import fm

MODULES = sorted(module.name for module in pkgutil.walk_packages(fm.__path__, "fm."))
BY_OTHERS = (Exception, Callback, LightningDataModule, LightningModule)
"""What is raised, or is called by Lightning's trainer alone."""


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs(name: str) -> None:
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for examples in doctest.DocTestFinder().find(importlib.import_module(name), name):
        runner.run(examples, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_class_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == name]
    public = [each for each in classes if not each.__name__.startswith("_") and not issubclass(each, BY_OTHERS)]
    assert not [each.__name__ for each in public if ">>> " not in (each.__doc__ or "")]
