"""PyTorch, imported when it is first used.

Components are declared in the modules that compute with it, and whoever checks settings needs the declarations alone.
Such a module says `from fm.lazy import torch`, and imports `Tensor` for its annotations, which nobody evaluates, from
PyTorch itself where a type checker reads it.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["torch"]


class Lazy(ModuleType):
    """A module that is imported when it is first asked for something.

    >>> Lazy("math").floor(1.5)
    1
    """

    def __getattr__(self, name: str) -> Any:
        found = getattr(import_module(self.__name__), name)
        setattr(self, name, found)  # next time it is there, as in any module
        return found


if TYPE_CHECKING:
    import torch
else:
    torch = Lazy("torch")
