"""What the trials of a study leave: one folder each, from which its verdicts are read."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipelines import further_stages, params
from pipelines.claims.outcomes import MAIN, Outcome
from pipelines.claims.results import read, read_trainings
from pipelines.params import Roles
from pipelines.project import CURVES, METRICS, MODELS, PAIRS, REPORTS, SAMPLES, SNAPSHOTS, whole_folder
from pipelines.ranking import read_evaluations
from pipelines.records import provenance
from pipelines.schemas.schema import Schema
from pipelines.study.plan import Trial

STUDIES = REPORTS / "studies"
RECORD = "trial.json"
PER_METHOD = (
    *(METRICS / stage for stage in ("train", "evaluate", "pairs")),
    *(MODELS, SNAPSHOTS, CURVES, SAMPLES, PAIRS),
)
KEPT = ("params.yaml", "dvc.lock", str(METRICS), str(REPORTS / "comparison.json"))


class Record(Schema):
    """trial.json: what was run, and how long it took."""

    name: str
    key: str
    commit: str
    seconds: float


def reports(root: Path, study: str) -> Path:
    return root / STUDIES / study


def folder(root: Path, study: str, trial: Trial) -> Path:
    return reports(root, study) / "trials" / trial.name


def code(root: Path) -> str:
    """Names the code in a checkout: equal for equal commits and uncommitted changes."""
    changes = (provenance.uncommitted_patch(root) or b"") + provenance.left_out(root).encode("utf-8", "surrogateescape")
    return hashlib.sha256(provenance.commit(root).encode() + changes).hexdigest()


def key(settings: str, code: str) -> str:
    """Equal for equal settings (the text of params.yaml) and code."""
    return hashlib.sha256(f"{code}\n{settings}".encode()).hexdigest()


def is_done(place: Path, key: str) -> bool:
    try:
        return Record.load(place / RECORD).key == key
    except (FileNotFoundError, ValueError):
        return False


def clear(workspace: Path, methods: Iterable[str]) -> None:
    """Remove what other methods than these have left: to the stage compare, whole folders are what it depends on."""
    kept = set(methods)
    for folder in PER_METHOD:
        for path in (workspace / folder).glob("*"):
            if path.stem not in kept and path.name != ".gitignore":
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def gather(workspace: Path, place: Path, record: Record) -> None:
    """Copy a finished trial's figures to `place`, whole or not at all."""
    with whole_folder(place) as target:
        for name in KEPT:
            source = workspace / name
            if source.is_dir():
                shutil.copytree(source, target / name)
            elif source.exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / name)
        record.save(target / RECORD)


def outcomes(root: Path, study: str, trials: Sequence[Trial]) -> list[Outcome]:
    """What each trial has measured. Raises UserError where a file is missing or damaged."""
    return [outcome(folder(root, study, trial), trial) for trial in trials]


def outcome(place: Path, trial: Trial) -> Outcome:
    metrics, methods, roles = place / METRICS, list(trial.overrides["methods"]), roles_in(place)
    further = [name for name in further_stages.STAGES if (metrics / f"{name}.json").exists()]
    return Outcome(
        arm=trial.arm,
        seed=trial.seed,
        settings=trial.overrides,
        roles=roles,
        train=read_trainings(methods, metrics),
        evaluations=read_evaluations(methods, metrics),
        results=read(methods, roles, metrics, further) if trial.compares else None,
    )


def roles_in(place: Path) -> Roles:
    """Those that methods have in a trial's claims, as its own settings say; older ones say nothing of it."""
    return Roles.model_validate(settings_in(place).get("compare", {}))


def settings_in(place: Path) -> dict[str, Any]:
    """A trial's own, as its params.yaml has them: another version's may be other than this one's."""
    content: dict[str, Any] = yaml.safe_load((place / params.FILE).read_text(encoding="utf-8"))
    return content


def kept(place: Path) -> list[Outcome]:
    """Of every trial that lies under `place`, by its own settings: the study's file may say something else by now."""
    return [outcome(file.parent, as_it_was(file.parent)) for file in sorted(place.rglob(RECORD))]


def as_it_was(place: Path) -> Trial:
    arm = Record.load(place / RECORD).name.partition("/")[0]
    settings = settings_in(place)
    train = {f"train.{key}": value for key, value in settings["train"].items()}
    return Trial(arm, settings["train"]["seed"], {}, {"methods": settings["methods"], **train}, compares=arm == MAIN)


def records(root: Path, study: str, trials: Sequence[Trial]) -> list[Record]:
    return [
        Record.model_validate(json.loads((folder(root, study, one) / RECORD).read_text(encoding="utf-8")))
        for one in trials
    ]
