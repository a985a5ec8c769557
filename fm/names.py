"""What can be chosen by name, and each one's options. Importable without PyTorch, to check settings at once.

A choice is a name, or a mapping with a name and options: `polynomial` or `{name: polynomial, n: 3}`.
"""

import re
from typing import Any

Choice = str | dict[str, Any]
Options = dict[str, tuple[str, ...]]

PATHS: Options = {
    "cond_ot": (),
    "variance_preserving": ("beta_min", "beta_max"),
    "ddpm": (),
    "cosine": (),
    "edm": ("sigma_max",),
    "polynomial": ("n",),
}
COUPLINGS: Options = {"independent": (), "optimal_transport": (), "labelled_optimal_transport": ()}
TIMESTEPS: Options = {
    "uniform": (),
    "stratified": (),
    "discrete": ("steps",),
    "logit_normal": ("mean", "deviation"),
    "edm": ("mean", "deviation"),
    "shifted": ("shift",),
}
TARGETS = ("velocity", "data", "noise", "score", "v", "edm")
WEIGHTS: Options = {"flat": (), "min_snr": ("gamma",), "edm": ()}
SOLVERS: Options = {
    "euler": (),
    "midpoint": (),
    "heun": (),
    "rk4": (),
    "dopri5": ("tolerance",),
    "ddim": ("eta", "clip"),
    "ddpm": ("clip",),
    "dpmpp_2m": ("clip",),
    "edm": ("churn", "noise_scale"),
}
EXTRACTORS = ("classifier", "inception", "efficientnet_lite0")
GRIDS: Options = {"uniform": (), "shifted": ("shift",), "cosine": (), "edm": ("rho", "ratio_min", "ratio_max")}


def parts(choice: Choice) -> tuple[str, dict[str, Any]]:
    """The name and the options of a choice. Raises ValueError for a mapping without a name."""
    if isinstance(choice, str):
        return choice, {}
    if not isinstance(choice.get("name"), str):
        raise ValueError(f"{choice}: must have a name")
    return choice["name"], {key: value for key, value in choice.items() if key != "name"}


def label(choice: Choice) -> str:
    """A choice in one word, fit for a file's name: `edm-churn40`."""
    name, options = parts(choice)
    return "-".join([name, *(f"{key}{value:g}" for key, value in sorted(options.items()))])


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
        raise ValueError(f"must be {known}, extractors/<name>.pt or extractors/<name>.py:<function>, not {setting!r}")
    return own[1]
