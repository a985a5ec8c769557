"""What a study runs: a file of studies/, made into trials."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from pipelines import params
from pipelines.claims.outcomes import MAIN
from pipelines.claims.table import CLAIMS
from pipelines.params import ParamsError, Section
from pipelines.params.mistakes import explained
from pipelines.project import ROOT

STUDIES = Path("studies")
METHODS = Path("methods")

ARMS = (MAIN, *(claim.id for claim in CLAIMS if claim.has_arm))

# evaluate.seed of the training with seed 0, as params.yaml has it; with seed n it is n more. Were it the same for all,
# the luck of the sample sets would be too, and more trainings would say nothing of it.
EVALUATION = 1000
SEEDS = ("train.seed", "evaluate.seed")


class Arm(Section):
    """One question's pipeline runs."""

    settings: dict[str, Any] = Field(
        default={}, description="dotted keys of params.yaml, over the study's and the methods' own"
    )
    methods: list[str] = Field(min_length=1, description="of params.yaml, or files of methods/")
    beside: list[str] = Field(
        default=[], description="further methods, in the first seed's runs alone: they put the others in perspective"
    )
    vary: dict[str, list[Any]] = Field(default={}, description="dotted keys, a trial for each combination of values")
    seeds: list[int] | None = Field(default=None, min_length=2, description="the study's own unless given")


class Study(Section):
    """A file of studies/."""

    about: str
    seeds: list[int] = Field(min_length=2, description="of the trainings; each has an evaluate.seed of its own too")
    settings: dict[str, Any] = Field(description="dotted keys of params.yaml, for every arm")
    arms: dict[str, Arm] = Field(description=f"{MAIN}, and any of {', '.join(ARMS[1:])}")


@dataclass(frozen=True)
class Trial:
    """One run of the pipeline.

    Attributes:
        overrides: dotted keys of params.yaml and their values.
        compares: whether the stage compare is run too, or evaluation is the end.
    """

    arm: str
    seed: int
    varied: Mapping[str, Any]
    overrides: Mapping[str, Any]
    compares: bool

    @property
    def name(self) -> str:
        """Fit for a folder: `touchiness/learning_rate-0.002/seed-0`."""
        varied = [f"{key.rpartition('.')[2]}-{value}" for key, value in self.varied.items()]
        return "/".join([self.arm, *varied, f"seed-{self.seed}"])


def require_name(name: str) -> None:
    """Raise ParamsError unless it can be a study's name: folders are called by it."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ParamsError(f"no study {name!r}: must be the name of a file in {STUDIES}/, without its suffix")


def load(name: str, root: Path = ROOT) -> Study:
    """The study of studies/<name>.yaml.

    Raises:
        ParamsError: there is none, or it says something that cannot be.
    """
    known = {file.stem: file for file in sorted((root / STUDIES).glob("*.yaml"))}
    if name not in known:
        raise ParamsError(f"no study {name!r}: there are {', '.join(known)} (studies/)")
    content = params.read(known[name])
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise explained(error, f"{STUDIES / name}.yaml", Study) from None
    for arm in {MAIN, *study.arms}:
        if arm not in ARMS or arm not in study.arms:
            raise ParamsError(f"{STUDIES / name}.yaml: arms: must be {MAIN}, and any of {', '.join(ARMS[1:])}")
    given = [study.settings, *(keys for arm in study.arms.values() for keys in (arm.settings, arm.vary))]
    for key in SEEDS:
        if any(key in keys for keys in given):
            raise ParamsError(f"{STUDIES / name}.yaml: {key}: every training has its own, which `seeds` says")
    return study


def trials(study: Study, root: Path = ROOT) -> list[Trial]:
    """Every run of a study, seed by seed within an arm: those of the main arm come first."""
    return [trial for name in sorted(study.arms, key=lambda one: one != MAIN) for trial in of_arm(study, name, root)]


def of_arm(study: Study, name: str, root: Path) -> Iterator[Trial]:
    arm = study.arms[name]
    seeds = arm.seeds or study.seeds
    for values in itertools.product(*arm.vary.values()):
        varied = dict(zip(arm.vary, values, strict=True))
        for seed in seeds:
            methods = arm.methods + (arm.beside if seed == seeds[0] else [])
            rows = {method: row(method, root) for method in methods}
            own = dict(zip(SEEDS, (seed, EVALUATION + seed), strict=True))
            overrides = {"methods": rows, **study.settings, **arm.settings, **varied, **own}
            yield Trial(name, seed, varied, overrides, compares=name == MAIN)


def row(method: str, root: Path) -> Any:
    """A method's row: that of params.yaml, else that of methods/<method>.yaml. Raises ParamsError for neither."""
    own = yaml.safe_load((root / params.FILE).read_text(encoding="utf-8"))["methods"]
    file = root / METHODS / f"{method}.yaml"
    if method in own:
        return own[method]
    if file.exists():
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    raise ParamsError(f"no method {method!r}: neither in {params.FILE} nor in {METHODS}/")
