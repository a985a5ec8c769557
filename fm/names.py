"""What can be chosen by name, and each one's options. Importable without PyTorch, to check settings at once.

A choice is a name, or a mapping with a name and options: `polynomial` or `{name: polynomial, n: 3}`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fm.errors import shown

Choice = str | dict[str, Any]


@dataclass(frozen=True)
class Number:
    """What an option may be: a finite number from `low` to `high`, both included.

    Attributes:
        above: `low` itself is excluded.
        whole: a whole number.
        null: none at all can be said too, which is the default.
    """

    low: float
    high: float
    above: bool = False
    whole: bool = False
    null: bool = False

    def read(self, value: object) -> int | float | None:
        """The number that `value` is, also where YAML takes it for text, as it does 1e-5.

        Raises:
            ValueError: it is none of those; the message says what would be right.
        """
        if value is None and self.null:
            return None
        number = as_number(value)
        if number is None or not self._allows(number):
            raise ValueError(f"{shown(value)}: must be {self}")
        return int(number) if self.whole else number

    def _allows(self, number: float) -> bool:
        inside = self.low < number if self.above else self.low <= number
        return inside and number <= self.high and (not self.whole or number == int(number))

    def __str__(self) -> str:
        what = "a whole number" if self.whole else "a number"
        bounds = (
            f"above {self.low:g} and at most {self.high:g}" if self.above else f"from {self.low:g} to {self.high:g}"
        )
        return f"{what} {bounds}" + (", or null" if self.null else "")


def as_number(value: object) -> int | float | None:
    """A finite number, from text too; none for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    return number if isinstance(value, str) else value


Options = Mapping[str, Mapping[str, Number]]

POSITIVE = Number(0, 1e6, above=True)
CLIP = Number(0, 1e6, above=True, null=True)
SHIFT = Number(0, 1000, above=True)
LOG_MEAN, LOG_DEVIATION = Number(-20, 20), Number(0, 20, above=True)

PATHS: Options = {
    "cond_ot": {},
    "variance_preserving": {"beta_min": Number(0, 1000), "beta_max": Number(0, 1000, above=True)},
    "ddpm": {},
    "cosine": {},
    "edm": {"sigma_max": POSITIVE},
    "polynomial": {"n": Number(0, 100, above=True)},
}
COUPLINGS: Options = {"independent": {}, "optimal_transport": {}, "labelled_optimal_transport": {}}
TIMESTEPS: Options = {
    "uniform": {},
    "stratified": {},
    "discrete": {"steps": Number(1, 1e6, whole=True)},
    "logit_normal": {"mean": LOG_MEAN, "deviation": LOG_DEVIATION},
    "edm": {"mean": LOG_MEAN, "deviation": LOG_DEVIATION},
    "shifted": {"shift": SHIFT},
}
TARGETS = ("velocity", "data", "noise", "score", "v", "edm")
WEIGHTS: Options = {"flat": {}, "min_snr": {"gamma": POSITIVE}, "edm": {}}
SOLVERS: Options = {
    "euler": {},
    "midpoint": {},
    "heun": {},
    "rk4": {},
    "dopri5": {"tolerance": Number(0, 1, above=True)},
    "ddim": {"eta": Number(0, 1), "clip": CLIP},
    "ddpm": {"clip": CLIP},
    "dpmpp_2m": {"clip": CLIP},
    "edm": {"churn": Number(0, 1e6), "noise_scale": Number(0, 10, above=True)},
}
GRIDS: Options = {
    "uniform": {},
    "shifted": {"shift": SHIFT},
    "cosine": {},
    # Noise levels fall from ratio_max to ratio_min, whatever the two are.
    "edm": {"rho": Number(1, 100), "ratio_min": Number(0, 0.5, above=True), "ratio_max": Number(1, 1e6)},
}
KINDS: dict[str, Options] = {
    "path": PATHS,
    "coupling": COUPLINGS,
    "timesteps": TIMESTEPS,
    "weight": WEIGHTS,
    "solver": SOLVERS,
    "grid": GRIDS,
}
EXTRACTORS = ("classifier", "inception", "efficientnet_lite0")
DIMENSIONS = {"classifier": 64, "inception": 2048, "efficientnet_lite0": 64}
"""Features of an image, extractor by extractor."""
CALLS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "ddim": 1, "ddpm": 1, "dpmpp_2m": 1, "edm": 2}
"""Calls of the network that a step makes without guidance, solver by solver; dopri5 makes as many as it needs."""


def parts(choice: Choice) -> tuple[str, dict[str, Any]]:
    """The name and the options of a choice. Raises ValueError for a mapping without a name."""
    if isinstance(choice, str):
        return choice, {}
    if not isinstance(choice, dict) or not isinstance(choice.get("name"), str):
        raise ValueError(f"{shown(choice)}: must be a name, or have a name")
    return choice["name"], {key: value for key, value in choice.items() if key != "name"}


def read(kind: str, choice: Choice, own: Mapping[str, tuple[str, ...]]) -> tuple[str, dict[str, Any]]:
    """The name and the options of a choice, checked; an option that is null is left out.

    Args:
        kind: one of KINDS.
        own: what else there is of the kind, with the names of its options, whose values are its own business.

    Raises:
        ValueError: no such name or option, or a value that the option cannot have.
    """
    name, given = parts(choice)
    known = KINDS[kind]
    there = {**{each: tuple(options) for each, options in known.items()}, **own}
    if name not in there:
        raise ValueError(f"no {kind} {shown(name)}: must be one of {', '.join(there)}")
    for option in given:
        if option not in there[name]:
            have = f"it has {', '.join(there[name])}" if there[name] else "it has none"
            raise ValueError(f"{kind} {name!r} has no option {shown(option)}: {have}")
    if name in own:
        return name, given
    options = {option: read_option(kind, name, option, value) for option, value in given.items()}
    return name, {option: value for option, value in options.items() if value is not None}


def read_option(kind: str, name: str, option: str, value: object) -> int | float | None:
    try:
        return KINDS[kind][name][option].read(value)
    except ValueError as error:
        raise ValueError(f"{kind} {name!r}: {option} = {error}") from None


def require(kind: str, name: str, **options: object) -> None:
    """That one of the library's own can have these options. Raises ValueError."""
    read(kind, {"name": name, **options}, {})


def require_target(target: str) -> None:
    """Raises ValueError, with the targets there are."""
    if target not in TARGETS:
        raise ValueError(f"no target {shown(target)}: must be one of {', '.join(TARGETS)}")


def label(choice: Choice) -> str:
    """A choice in one word, fit for a file's name: `edm-churn40`."""
    name, options = parts(choice)
    return "-".join([name, *(key + as_word(value) for key, value in sorted(options.items()) if value is not None)])


def as_word(value: object) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if is_number else re.sub(r"[^A-Za-z0-9.]+", "_", str(value))


OWN_EXTRACTOR = re.compile(r"extractors/([A-Za-z0-9_]+)\.(?:pt|py:[A-Za-z_][A-Za-z0-9_]*)")


def extractor_name(setting: str) -> str:
    """What an extractor's distances are called after: its own name, or that of your file, `extractors/faces.pt`.

    Raises:
        ValueError: it is neither, or your file has the name of one of EXTRACTORS.
    """
    if setting in EXTRACTORS:
        return setting
    own = OWN_EXTRACTOR.fullmatch(setting)
    if own is None or own[1] in EXTRACTORS:
        known = ", ".join(EXTRACTORS)
        raise ValueError(
            f"must be {known}, extractors/<name>.pt or extractors/<name>.py:<function>, not {shown(setting)}"
        )
    return own[1]
