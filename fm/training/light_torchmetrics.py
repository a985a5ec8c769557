"""torchmetrics, imported when more of it is asked for than Lightning takes: two classes and the version. To be imported
before Lightning is.

Its package imports every metric there is, and with them transformers, torchvision and SciPy: a third of the time that a
stage took to begin (docs/performance.md).
"""

import logging
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any

NAME = "torchmetrics"
KNOWN = ("1.8.", "1.9.")
"""Versions whose parts go by themselves; others are imported whole, as by everybody else."""
TAKEN = {
    "__version__": "torchmetrics.__about__",
    "Metric": "torchmetrics.metric",
    "MetricCollection": "torchmetrics.collections",
}
"""What Lightning takes of the package, and where that is."""


class InPart(ModuleType):
    """The package before it has been run: whatever is not in TAKEN runs it.

    >>> from torchmetrics import Metric
    >>> Metric.__module__
    'torchmetrics.metric'
    """

    lock = RLock()

    def __getattr__(self, name: str) -> Any:
        if name in TAKEN:
            return getattr(import_module(TAKEN[name]), name)
        with self.lock:
            if type(self) is InPart:
                spec, self.__class__ = self.__spec__, ModuleType  # type: ignore[assignment]  # first: it imports itself
                assert spec is not None
                assert spec.loader is not None
                spec.loader.exec_module(self)
        return getattr(self, name)


def install() -> None:
    """Let the next `import torchmetrics` find it so, unless one was before."""
    spec = find_spec(NAME) if NAME not in sys.modules and is_known() else None
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = InPart
        module._logger = logging.getLogger(NAME)  # type: ignore[attr-defined]  # which its parts take from it
        sys.modules[NAME] = module
        import_module(f"{NAME}.utilities")  # before the other parts, which import it and which it imports


def is_known() -> bool:
    try:
        return version(NAME).startswith(KNOWN)
    except PackageNotFoundError:
        return False


install()
