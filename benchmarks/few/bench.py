"""What all trainings of a study share: the settings, the data, the extractor and the real images' features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from fm import devices
from fm.batches import Examples
from fm.components import ANY
from fm.data import digits, fashion_mnist  # noqa: F401, by their names below
from fm.data.dataset import Dataset, Request
from fm.data.prepared import Prepared
from fm.data.writing import write
from fm.evaluation import Reference
from fm.metrics.extractors import Asked, Extractor, features_of, load, prepare
from pipelines import params
from pipelines.methods import Method
from pipelines.params import Params
from pipelines.sample_sets import plan_of

PREPARED, FEATURES = "prepared", "features"


def settings_of(dataset: str, changes: Sequence[str] = (), root: Path = Path()) -> Params:
    """params.yaml for that dataset, with every row of methods/ beside its own.

    Args:
        changes: `key=value`, by dotted keys of params.yaml.
    """
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    content["dataset"]["name"] = dataset
    for file in sorted((root / "methods").glob("*.yaml")):
        content["methods"].setdefault(file.stem, yaml.safe_load(file.read_text(encoding="utf-8")))
    for change in changes:
        key, _, value = change.partition("=")
        *above, last = key.split(".")
        place = content
        for name in above:
            place = place[name]
        place[last] = yaml.safe_load(value)
    return params.parse(content)


def make(folder: Path, settings: Params, cache: Path) -> None:
    """Write the data and their features to `folder`, unless they are there."""
    if (folder / FEATURES / "test.npy").exists():
        return
    chosen = settings.dataset
    request = Request(cache, Path(chosen.path), chosen.image_size, chosen.channels, chosen.test_fraction, False)
    write(folder / PREPARED, Dataset.of(chosen.name).load(request), chosen.name)
    dataset = Prepared.open(folder / PREPARED)
    asked = Asked(settings.evaluate.extractor, dataset, devices.pick(), None, cache, print)
    extractor = prepare(asked, ANY)
    (folder / FEATURES).mkdir(exist_ok=True)
    extractor.save(folder / FEATURES)
    for split, images in (("train", asked.data), ("test", replace_split(asked).data)):
        np.save(folder / FEATURES / f"{split}.npy", features_of(extractor, images))


def replace_split(asked: Asked) -> Asked:
    """The same with the images that are held out in the place of those that are trained on."""
    return replace(asked, dataset=replace(asked.dataset, train=asked.dataset.test))


@dataclass(frozen=True)
class Bench:
    """All that a training and its evaluation need.

    Attributes:
        real: the real images' features, fitted.
    """

    settings: Params
    dataset: Prepared
    extractor: Extractor
    real: Reference
    device: torch.device

    @classmethod
    def load(cls, folder: Path, settings: Params) -> "Bench":
        """What `make` wrote."""
        device = devices.pick()
        dataset = Prepared.open(folder / PREPARED)
        train, test = (np.load(folder / FEATURES / f"{split}.npy") for split in ("train", "test"))
        real = Reference.of(train, test, plan_of(settings.evaluate, len(test)))
        return cls(settings, dataset, load(folder / FEATURES, device), real, device)

    def method(self, row: str) -> Method:
        return Method.build(self.settings, row, Examples.of(self.dataset))

    @cached_property
    def pixels(self) -> dict[str, torch.Tensor]:
        """Of each split's images, float32 (N, pixels) on the device, from -1 to 1."""
        splits = {"train": self.dataset.train, "test": self.dataset.test}
        codec = self.dataset.codec
        return {name: codec.encode(rows.data).flatten(1).to(self.device) for name, rows in splits.items()}

    def about(self) -> dict[str, Any]:
        """What every figure is to be read with."""
        return {
            "dataset": self.dataset.name,
            "extractor": self.extractor.name,
            "floor": self.real.floor,
            "sets": self.settings.evaluate.sets,
            "each": self.settings.evaluate.count(len(self.dataset.test)),
            "device": devices.name(self.device),
        }


def rows_of(settings: Params, wanted: Sequence[str]) -> Iterator[str]:
    """Those that are asked for. Raises SystemExit for one that there is not, or that does not begin by itself."""
    for row in wanted:
        if row not in settings.methods:
            raise SystemExit(f"no row {row}: there are {', '.join(settings.methods)}")
        if settings.methods[row].beginning:
            raise SystemExit(f"row {row} goes on from another network, and here all begin with random weights")
        yield row
