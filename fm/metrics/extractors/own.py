"""Your own extractor: a TorchScript file, or a function in a Python file. extractors/README.md says how."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fm.codecs import BESIDE, Codec
from fm.extractor_names import extractor_name
from fm.lazy import torch
from fm.metrics.extractors.extractor import Asked, Extractor, ExtractorError, Floats, chunks, describe, described

BATCH = 100
OWN = "own"


class OwnExtractor(Extractor):
    """Called after its file: `extractors/faces.pt` gives `fid_faces`.

    >>> extractor_name("extractors/faces.pt")
    'faces'
    """

    def __init__(self, setting: str, file: Path, codec: Codec, device: torch.device) -> None:
        """
        Args:
            codec: of the dataset that it measures.
        """
        self.file_setting, self.codec = setting, codec
        self.file = file
        self.name = extractor_name(setting)  # type: ignore[misc]  # each file has a name of its own
        self.function = scripted(file, codec, device) if file.suffix == ".pt" else function(file, setting.split(":")[1])

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        return cls(asked.setting, Path(asked.setting.split(":")[0]), asked.dataset.codec, asked.device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        content = described(folder)
        codec = Codec.of(content["codec"]).loaded(folder / BESIDE)
        return cls(content["setting"], folder / content["file"], codec, device)

    def save(self, folder: Path) -> None:
        describe(folder, OWN, setting=self.file_setting, file=self.file.name, codec=self.codec.choice)
        self.codec.save(folder / BESIDE)
        shutil.copyfile(self.file, folder / self.file.name)

    def features(self, data: NDArray[Any]) -> Floats:
        given = [(self.function(part), len(part)) for part in chunks(data, BATCH)]
        return np.concatenate([checked(features, count, self.file_setting) for features, count in given])


def scripted(file: Path, codec: Codec, device: torch.device) -> Callable[[NDArray[Any]], Floats]:
    """A TorchScript module: float32 (N, C, *spatial) as modelled, pixels in [-1, 1], to (N, D)."""
    try:
        module = torch.jit.load(file, map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        raise ExtractorError(f"{file}: no TorchScript file: {str(error).splitlines()[0]}") from None

    @torch.no_grad()
    def features(data: NDArray[Any]) -> Floats:
        out: Floats = module(codec.encode(data).to(device)).float().cpu().numpy()
        return out

    return features


def function(file: Path, name: str) -> Callable[[NDArray[Any]], Floats]:
    """A Python function: data as they are stored, pictures uint8 (N, H, W, C), to an array (N, D)."""
    spec = importlib.util.spec_from_file_location(f"extractor_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found: Callable[[NDArray[Any]], Floats] = getattr(module, name)
    except FileNotFoundError:
        raise ExtractorError(f"evaluate.extractor: there is no {file}") from None
    except AttributeError:
        raise ExtractorError(f"{file}: has no function {name!r}") from None
    return found


def checked(features: object, count: int, setting: str) -> Floats:
    """float32 (count, D), finite. Raises ExtractorError for anything else."""
    array = np.asarray(features, dtype=np.float32)
    if array.ndim != 2 or len(array) != count:
        raise ExtractorError(f"{setting}: gave an array {array.shape} for {count} data; must be ({count}, D)")
    if not np.isfinite(array).all():
        raise ExtractorError(f"{setting}: gave features that are not finite")
    return array
