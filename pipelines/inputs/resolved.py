"""The stages' inputs as they are now, and the files that say so."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipelines import further_stages, params
from pipelines.inputs.beside import BESIDE_ALL, SHOWS, beside
from pipelines.inputs.components import LIBRARY, OWN, Components, packages_of
from pipelines.inputs.reach import Reach
from pipelines.inputs.settings import FOR_EACH_METHOD, OF_STAGE, Settings, of_autoencoder, of_original
from pipelines.inputs.sources import Code
from pipelines.params import Captions, Params
from pipelines.project import INPUTS

PIPELINES = "pipelines"


@dataclass(frozen=True)
class Inputs:
    """What a stage's result depends on, beside data.

    Attributes:
        settings: that it uses, no `null` among them that stands for something else.
        code: file -> digest of what it comes to of it, words left out.
    """

    settings: Settings
    code: dict[str, str]

    @property
    def text(self) -> str:
        return json.dumps({"settings": self.settings, "code": self.code}, indent=1) + "\n"

    @property
    def md5(self) -> str:
        """As DVC has it of the file."""
        return hashlib.md5(self.text.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def read(cls, text: str) -> Self:
        content: dict[str, Any] = json.loads(text)
        return cls(content["settings"], content["code"])


def file_of(stage: str) -> Path:
    """Where a stage's inputs lie: artifacts/inputs/train/diffusion.json."""
    return INPUTS / f"{stage.replace('@', '/')}.json"


def names(settings: Params) -> Iterator[str]:
    """All stages that have inputs."""
    for kind in OF_STAGE:
        if kind in further_stages.STAGES:
            yield from [kind] if kind in further_stages.asked(settings) else []
        elif kind == "pairs":
            yield from (f"{kind}@{method}" for method, row in settings.methods.items() if row.pairs is not None)
        else:
            yield from (f"{kind}@{method}" for method in settings.methods) if kind in FOR_EACH_METHOD else [kind]


def resolve(root: Path) -> dict[str, Inputs]:
    """The inputs of all stages, as settings and code lie in a checkout. Raises ParamsError."""
    settings = params.load(root / params.FILE)
    resolver = Resolver(root, settings)
    return {name: resolver.inputs(name) for name in names(settings)}


def resolve_one(root: Path, stage: str) -> Inputs:
    """Those of one stage. Raises ParamsError."""
    return Resolver(root, params.load(root / params.FILE)).inputs(stage)


class Resolver:
    def __init__(self, root: Path, settings: Params) -> None:
        self.root = root
        self.settings = settings
        self.code = Code(root, (LIBRARY, PIPELINES, OWN))
        self.components = Components(self.code)

    def inputs(self, stage: str) -> Inputs:
        settings, reach = self.reach(stage)
        return Inputs(settings, reach.digests(with_declared=stage in SHOWS))

    def reach(self, stage: str) -> tuple[Settings, Reach]:
        """A stage's settings, and what of the code it comes to with them."""
        kind, _, method = stage.partition("@")
        settings = OF_STAGE[kind](self.settings, method)
        if kind in FOR_EACH_METHOD:
            settings |= of_original(self.root, self.settings, method)
        if kind == "codec":
            settings |= of_autoencoder(self.root, self.settings)
        self.code.installed = packages_of(settings, self.components.bases)
        captions = isinstance(self.settings.dataset.condition, Captions)
        reach = Reach(self.code, beside(stage, captions))
        reach.program(f"{PIPELINES}.{kind}")
        self.components.follow(reach, settings)
        if self.code.installed:  # one's own may use what the stage by itself need not
            own = Reach(self.code, BESIDE_ALL)
            self.components.follow(own, settings)
            reach.take(own)
        return settings, reach
