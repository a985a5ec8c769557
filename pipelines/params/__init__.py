"""The settings in params.yaml: what there is, what is allowed, and what `null` stands for."""

from pipelines.params.checks import (
    NO_IMAGES,
    absent_roles,
    require_clip,
    require_enough,
    require_keys,
    require_method,
    require_nfe,
    require_path,
    require_seen,
)
from pipelines.params.codec import require_fitting
from pipelines.params.condition import Captions, Part
from pipelines.params.mistakes import ParamsError
from pipelines.params.objective import Objective, OtherObjective
from pipelines.params.params import Params
from pipelines.params.reading import FILE, flat, load, parse, read
from pipelines.params.row import Pairs, Sampler
from pipelines.params.section import Section
from pipelines.params.sections import Dataset, Evaluate, Roles

__all__ = [
    "FILE",
    "NO_IMAGES",
    "Captions",
    "Dataset",
    "Evaluate",
    "Objective",
    "OtherObjective",
    "Pairs",
    "Params",
    "ParamsError",
    "Part",
    "Roles",
    "Sampler",
    "Section",
    "absent_roles",
    "flat",
    "load",
    "parse",
    "read",
    "require_clip",
    "require_enough",
    "require_fitting",
    "require_keys",
    "require_method",
    "require_nfe",
    "require_path",
    "require_seen",
]
