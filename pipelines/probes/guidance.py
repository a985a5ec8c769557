"""How well the label that was asked for shows, by scale of classifier-free guidance (Ho & Salimans 2022)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.evaluation import draw
from fm.generator import Generator
from fm.metrics.extractors import Extractor
from pipelines.params import Evaluate
from pipelines.sample_sets import conditions, plan_of
from pipelines.schemas.probes import Guided, best_guidance

SCALES = (1.0, 1.5, 2.0, 3.0)
UNGUIDED = (1.0,)
"""What is tried of a network that has not learnt what guidance leads away from."""
CHOOSE, READ = 0, 1
"""Numbers of sample sets: one, half as large, to choose the scale on, one to read what it and no guidance give."""


def guided(
    generator: Generator,
    sampler: SamplerConfig,
    extractor: Extractor,
    dataset: Prepared,
    chosen: Evaluate,
    scales: Sequence[float] = SCALES,
) -> list[Guided]:
    """The share of images that the classifier recognises at each scale; nothing where the extractor is none."""
    if extractor.classify(dataset.test[np.arange(1)]["data"]) is None:
        return []
    asked = conditions(generator, dataset)
    read = plan_of(chosen, len(dataset.test))
    choose = replace(read, count=max(read.count // 2, 1))  # no interval depends on how many

    def at_scale(scale: float, number: int) -> Guided:
        scaled = generator.with_sampler(sampler.model_copy(update={"guidance": scale}))
        (found,) = draw(scaled, extractor, read if number == READ else choose, asked, [number])
        return Guided(
            solver=scaled.adjusted(guidance=1.0).config.sampler.label,
            steps=sampler.steps,
            nfe=found.nfe,
            scale=scale,
            recognised=[] if found.recognised is None else [found.recognised],
        )

    tried = [at_scale(scale, CHOOSE) for scale in scales]
    wanted = {1.0, best_guidance(tried).scale}
    return [one.and_on(at_scale(one.scale, READ)) if one.scale in wanted else one for one in tried]
