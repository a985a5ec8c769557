"""A trained method on the bench: all that its samplers are drawn and measured with, alike on every worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from fm import devices
from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.evaluation import Reference
from fm.generator import Generator
from fm.metrics.extractors import Extractor, load
from fm.metrics.measures import Measures
from fm.work_queue import Workers
from pipelines import averages, sample_sets, snapshots
from pipelines.dataset import opened
from pipelines.measuring import Protocol
from pipelines.params import Evaluate, Params
from pipelines.project import FEATURES, MODELS
from pipelines.schemas.evaluation import EvaluationRow


@dataclass(frozen=True)
class Bench:
    """One worker's.

    Attributes:
        chosen: how it is evaluated.
        samplers: all of the method's.
        workers: who share the drawing.
        weaker: folders of the networks that samplers lead away from, by their number.
        generator: of the finished network.
    """

    method: str
    chosen: Evaluate
    samplers: tuple[SamplerConfig, ...]
    workers: Workers
    device: torch.device
    dataset: Prepared
    extractor: Extractor
    weaker: Mapping[int, Path]
    generator: Generator

    @classmethod
    def of(cls, method: str, settings: Params, workers: Workers) -> Self:
        """A method of params.yaml that is trained, on this worker's device."""
        chosen, samplers = settings.evaluate, tuple(settings.methods[method].each_sampler())
        device = devices.at_place(devices.pick(settings.train.accelerator), workers.place)
        weaker = snapshots.weaker(method, samplers)
        generator = evaluated(Generator.load(MODELS / method, weaker=weaker), chosen, device)
        return cls(method, chosen, samplers, workers, device, opened(), load(FEATURES, device), weaker, generator)

    def young(self, folder: Path) -> Generator:
        """A network that was kept along the training."""
        return evaluated(Generator.load(folder, weaker=self.weaker), self.chosen, self.device)

    def at_length(self, length: float) -> Generator:
        """The finished network with its weights averaged at another length, drawn from as it is."""
        other = evaluated(averages.of_length(self.method, length), self.chosen, self.device)
        other.weaker = self.generator.weaker
        return other

    def draw(self, generator: Generator, measures: Measures | None = None) -> None:
        """What a worker does that is not the first: its part of the sample sets that the first one measures."""
        sample_sets.draw(generator, self.extractor, self.dataset, self.chosen, self.workers, measures)

    def measure(
        self, generator: Generator, real: Reference, network: str = "", protocol: Protocol | None = None
    ) -> EvaluationRow:
        """What the first worker does.

        Args:
            network: which one it is, in words, where it is not the finished one.
            protocol: what else is measured of the data.
        """
        return sample_sets.measure(
            generator, self.extractor, self.dataset, real, self.chosen, self.workers, network, protocol
        )


def evaluated(generator: Generator, chosen: Evaluate, device: torch.device) -> Generator:
    return generator.to(device).evaluated(chosen.precision, chosen.compile)
