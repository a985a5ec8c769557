"""What a stage is made of, as DVC sees it, and the key that names exactly that."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from pipelines.project import PREPARED, ROOT


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml with its resolved parameters and the content of its dependencies.

    Attributes:
        name: as DVC calls it, for instance `train@diffusion`.
        params: dotted key -> value.
        dependencies: path -> DVC's md5 of its present content.
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


def declared(name: str) -> Stage:
    """The stage `name` of dvc.yaml, its dependencies as they lie on disk now."""
    from dvc.dependency.param import ParamsDependency
    from dvc.repo import Repo

    with Repo(str(ROOT)) as repo:
        stage = repo.stage.load_one("dvc.yaml", name)
        params: dict[str, Any] = {}
        dependencies: dict[str, str] = {}
        for dependency in stage.deps:
            if isinstance(dependency, ParamsDependency):
                params |= dependency.read_params()
            else:
                dependencies[dependency.def_path] = dependency.get_hash().value
    return Stage(name, params, dependencies)
