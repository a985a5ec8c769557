"""The stages' inputs as they are now, and the files that say so."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pipelines import further_stages, params
from pipelines.inputs import kept
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
    now = kept.digest(root)
    resolver = Resolver(root, params.load(root / params.FILE))
    return {name: known(resolver, name, now) for name in names(resolver.settings)}


def resolve_one(root: Path, stage: str) -> Inputs:
    """Those of one stage. Raises ParamsError."""
    now = kept.digest(root)
    return known(Resolver(root, params.load(root / params.FILE)), stage, now)


def known(resolver: "Resolver", stage: str, now: str) -> Inputs:
    """A stage's inputs, as they were found before where settings and code were those of `now`, their digest."""
    text = kept.read(stage, now)
    if text is not None:
        return Inputs.read(text)
    found = resolver.inputs(stage)
    if resolver.of_checkout and kept.digest(resolver.root) == now:  # else they were edited meanwhile
        kept.keep(stage, now, found.text)
    return found


class Resolver:
    """Finds inputs in a checkout, by what its params.yaml says."""

    def __init__(self, root: Path, settings: Params) -> None:
        self.root = root
        self.settings = settings
        self.code = Code(root, (LIBRARY, PIPELINES, OWN))

    @cached_property
    def components(self) -> Components:
        return Components(self.code)

    @property
    def of_checkout(self) -> bool:
        """Whether all that was looked at last lies in the digest: no package that is installed, no trained network."""
        starts = (self.settings.codec.folder, *(row.start_from for row in self.settings.methods.values()))
        return set(self.code.installed) <= set(self.code.packages) and not any(starts)

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
