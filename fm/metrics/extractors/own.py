"""Your own extractor: a TorchScript file, or a function in a Python file. extractors/README.md says how."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np

from fm.extractor_names import extractor_name
from fm.images import Images, to_float
from fm.lazy import torch
from fm.metrics.extractors.extractor import Asked, Extractor, ExtractorError, Floats, chunks, describe, described

BATCH = 100
OWN = "own"


class OwnExtractor(Extractor):
    """Called after its file: `extractors/faces.pt` gives `fid_faces`.

    >>> extractor_name("extractors/faces.pt")
    'faces'
    """

    def __init__(self, setting: str, file: Path, device: torch.device) -> None:
        self.file_setting = setting
        self.file = file
        self.name = extractor_name(setting)  # type: ignore[misc]  # each file has a name of its own
        self.function = scripted(file, device) if file.suffix == ".pt" else function(file, setting.split(":")[1])

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        return cls(asked.setting, Path(asked.setting.split(":")[0]), asked.device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        content = described(folder)
        return cls(content["setting"], folder / content["file"], device)

    def save(self, folder: Path) -> None:
        describe(folder, OWN, setting=self.file_setting, file=self.file.name)
        shutil.copyfile(self.file, folder / self.file.name)

    def features(self, images: Images) -> Floats:
        given = [(self.function(part), len(part)) for part in chunks(images, BATCH)]
        return np.concatenate([checked(features, count, self.file_setting) for features, count in given])


def scripted(file: Path, device: torch.device) -> Callable[[Images], Floats]:
    """A TorchScript module: float32 (N, C, H, W) in [-1, 1] to (N, D)."""
    try:
        module = torch.jit.load(file, map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise ExtractorError(f"{file}: no TorchScript file: {str(error).splitlines()[0]}") from None

    @torch.no_grad()
    def features(images: Images) -> Floats:
        out: Floats = module(to_float(images).to(device)).float().cpu().numpy()
        return out

    return features


def function(file: Path, name: str) -> Callable[[Images], Floats]:
    """A Python function: uint8 (N, H, W, C) to an array (N, D)."""
    spec = importlib.util.spec_from_file_location(f"extractor_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found: Callable[[Images], Floats] = getattr(module, name)
    except FileNotFoundError:
        raise ExtractorError(f"evaluate.extractor: there is no {file}") from None
    except AttributeError:
        raise ExtractorError(f"{file}: has no function {name!r}") from None
    return found


def checked(features: object, count: int, setting: str) -> Floats:
    """float32 (count, D), finite. Raises ExtractorError for anything else."""
    array = np.asarray(features, dtype=np.float32)
    if array.ndim != 2 or len(array) != count:
        raise ExtractorError(f"{setting}: gave an array {array.shape} for {count} images; must be ({count}, D)")
    if not np.isfinite(array).all():
        raise ExtractorError(f"{setting}: gave features that are not finite")
    return array
