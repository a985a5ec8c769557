"""Your own paths, couplings, timestep distributions, weights and time grids, to be named in params.yaml.

Each is registered by a name that no other has, and takes its options as keywords. For example a path:

    class Squared(Path):
        power: float = 2.0

        def alpha(self, t: Tensor) -> Tensor:
            return t**self.power

        def sigma(self, t: Tensor) -> Tensor:
            return 1 - t

    REGISTERED["path"]["squared"] = Squared

and then `path: squared` or `path: {name: squared, power: 3}` in a method's row. A model trained on it needs this
file to be loaded.
"""

import inspect
from collections.abc import Callable
from typing import Any

REGISTERED: dict[str, dict[str, Callable[..., Any]]] = {
    "path": {},
    "coupling": {},
    "timesteps": {},
    "weight": {},
    "grid": {},
}


def options(kind: str) -> dict[str, tuple[str, ...]]:
    """The names of what is registered of a kind, and those of its options."""
    return {name: tuple(inspect.signature(made).parameters) for name, made in REGISTERED.get(kind, {}).items()}
