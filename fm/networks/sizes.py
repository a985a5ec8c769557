"""Networks of sizes without numbers, before there is memory for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@contextmanager
def sizes_alone() -> Iterator[None]:
    """Modules that are made meanwhile are on the device `meta`.

    >>> with sizes_alone():
    ...     torch.nn.Linear(2, 3).weight.device
    device(type='meta')
    """
    with torch.device("meta"), WithoutFirstWeights():
        yield


class WithoutFirstWeights(TorchFunctionMode):
    """Draws none: on `meta` nothing would come of it, and the first time it takes a second of imports.

    >>> with WithoutFirstWeights():
    ...     torch.nn.init.normal_(torch.zeros(2))
    tensor([0., 0.])
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)
