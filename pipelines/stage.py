"""What a stage is made of, as DVC sees it, and the key that names exactly that."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fm.errors import UserError
from pipelines import edges, params
from pipelines.checkout_locks import working
from pipelines.inputs.resolved import Inputs, file_of, resolve_one
from pipelines.project import PREPARED, ROOT, require_repository, whole_file


class StageChanged(UserError):
    """Settings, code or data are no more what a stage has begun with; the message names them."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml with its resolved parameters and the content of its dependencies.

    Attributes:
        name: as DVC calls it, for instance `train@diffusion`.
        params: dotted key -> value.
        dependencies: path -> DVC's md5 of its present content; that of its inputs (pipelines.inputs) is of what they
            are, whatever the file says.
    """

    name: str
    params: dict[str, Any]
    dependencies: dict[str, str]

    @property
    def key(self) -> str:
        """Equal for equal parameters, data and code; names checkpoints and MLflow runs. 32 hex digits."""
        content = json.dumps([self.name, self.params, self.dependencies], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def data_md5(self) -> str:
        """DVC's md5 of the prepared dataset."""
        return self.dependencies[str(PREPARED)]

    @property
    def params_md5(self) -> str:
        return hashlib.md5(json.dumps(self.params, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def declared(name: str, root: Path = ROOT) -> Stage:
    """The stage `name` of dvc.yaml, its dependencies as they lie on disk now. Raises UserError where one is missing."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    require_repository(root)
    with Repo(str(root)) as repo:
        stage = repo.stage.load_one(str(root / "dvc.yaml"), name)
        values: dict[str, Any] = {}
        dependencies: dict[str, str] = {}
        for dependency in stage.deps:
            if isinstance(dependency, ParamsDependency):
                values |= dependency.read_params()
            elif dependency.def_path == str(file_of(name)):
                dependencies[dependency.def_path] = resolve_one(root, name).md5
            else:
                dependencies[dependency.def_path] = content_of(dependency)
    return Stage(name, values, dependencies)


def content_of(dependency: Any) -> str:
    """DVC's md5 of one of its dependencies."""
    try:
        return str(dependency.get_hash().value)
    except FileNotFoundError:
        raise UserError(f"{dependency.def_path} is missing: `dvc repro` makes it") from None


def recorded(name: str, root: Path = ROOT) -> Stage | None:
    """The stage `name` as it was when DVC last took what it made; None where dvc.lock has none such."""
    try:
        stages = (yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8")) or {}).get("stages", {})
    except FileNotFoundError:
        return None
    if name not in stages:
        return None
    found = stages[name]
    values = {key: value for file in found.get("params", {}).values() for key, value in file.items()}
    return Stage(name, values, {one["path"]: one["md5"] for one in found.get("deps", [])})


def are_as_recorded(names: Sequence[str], root: Path = ROOT) -> bool:
    """Whether DVC finds these stages as it has recorded them, and what `resolve` has written of their code as new. A
    second's work, where `changes` reads the code anew; what has changed it does not say."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            return not repo.status([f"{root / 'dvc.yaml'}:{name}" for name in ("resolve", *names)])
    except DvcException:  # another of its processes has the lock, or there is no such stage
        return False


@contextmanager
def running(name: str) -> Iterator[Stage]:
    """The stage `name` while it runs: what it is at the beginning, and still has to be at the end.

    DVC hashes settings, code and data after the command: what was edited meanwhile would stand in dvc.lock for a
    result that was made with something else. So a stage calls `require_unchanged` before it writes its outputs, and
    here it is asked once more at the very end, when DVC can no longer be told anything but the exit code.

    Enter it before anything of params.yaml is taken.

    Raises:
        ParamsError: params.yaml has a mistake.
        StageChanged: they are others than at the beginning.
    """
    with working(ROOT):
        params.load()  # a mistake is one line, which DVC's word on it is not
        edges.require(ROOT)
        stage = declared(name)
        if str(file_of(name)) in stage.dependencies:
            renew_inputs(stage)
        yield stage
        require_unchanged(stage)


def renew_inputs(stage: Stage, root: Path = ROOT) -> None:
    """Write the file of a stage's inputs, unless it is as it should be: a stage that is run by hand may have none, and
    DVC hashes it once the stage has ended."""
    inputs = resolve_one(root, stage.name)
    if inputs_as(stage, root) != inputs:
        with whole_file(root / file_of(stage.name)) as partial:
            partial.write_text(inputs.text, encoding="utf-8")


def inputs_as(stage: Stage, root: Path = ROOT) -> Inputs | None:
    """The inputs of a stage as it was: out of their file, or of DVC's cache; None where neither has them any more."""
    from dvc.repo import Repo

    path = file_of(stage.name)
    md5 = stage.dependencies[str(path)]
    with Repo(str(root)) as repo:
        cached = Path(repo.cache.local.oid_to_path(md5))
    for file in (root / path, cached):
        if file.is_file() and hashlib.md5(content := file.read_bytes(), usedforsecurity=False).hexdigest() == md5:
            return Inputs.read(content.decode())
    return None


def require_unchanged(stage: Stage, root: Path = ROOT) -> None:
    """Raise StageChanged, with what it was, unless settings, code and data are what the stage has begun with."""
    if changed := changes(stage, root):
        raise StageChanged(f"{stage.name}: changed while it ran, so it has to run again: {'; '.join(changed)}")


def changes(before: Stage, root: Path = ROOT) -> list[str]:
    """What of a stage is another now, for people; empty where all is the same."""
    from dvc.exceptions import DvcException

    try:
        now = declared(before.name, root)
    except (DvcException, UserError, OSError) as error:  # half edited, or a file is gone
        return [" ".join(str(error).split())]
    told = [
        f"params.yaml: {key} = {json.dumps(value)}, was {json.dumps(was)}"
        for key, was, value in differences(before.params, now.params)
    ]
    for path, _, _ in differences(before.dependencies, now.dependencies):
        told += [path] if path != str(file_of(before.name)) else changed_inputs(before, root, bool(told))
    return told


def changed_inputs(before: Stage, root: Path, settings_told: bool) -> list[str]:
    """What of a stage's inputs is another now: files of code, and settings where params.yaml does not show it."""
    was, now = inputs_as(before, root), resolve_one(root, before.name)
    if was is None:
        return ["its settings or its code"]
    settings = [] if settings_told else list(differences(was.settings, now.settings))
    return [
        *(f"{key} = {json.dumps(value)}, was {json.dumps(old)}" for key, old, value in settings),
        *(path for path, _, _ in differences(was.code, now.code)),
    ]


def differences(before: Any, after: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted key, former and present value of all that differs in two nested dictionaries; None is what is missing."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from differences(before.get(name), after.get(name), f"{key}.{name}" if key else str(name))
    elif before != after:
        yield key, before, after
