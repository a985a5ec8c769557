"""How well the label that was asked for shows, by scale of classifier-free guidance (Ho & Salimans 2022)."""

import numpy as np

from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.evaluation import draw
from fm.generator import Generator
from fm.metrics.extractors import Extractor
from fm.pictures import pictures
from pipelines.params import Evaluate
from pipelines.sample_sets import conditions, plan_of
from pipelines.schemas.probes import Guided

SCALES = (1.0, 1.5, 2.0, 3.0)
SETS = 2  # one to choose the scale on, one to read


def guided(
    generator: Generator, sampler: SamplerConfig, extractor: Extractor, dataset: Prepared, chosen: Evaluate
) -> list[Guided]:
    """The share of images that the classifier recognises at each scale; nothing where the extractor is none."""
    if extractor.classify(pictures(dataset.test[np.arange(1)]["data"], dataset.codec)) is None:
        return []
    return [at_scale(generator.with_sampler(sampler), scale, extractor, dataset, chosen) for scale in SCALES]


def at_scale(generator: Generator, scale: float, extractor: Extractor, dataset: Prepared, chosen: Evaluate) -> Guided:
    scaled = generator.adjusted(guidance=scale)
    plan, asked = plan_of(chosen, len(dataset.test)), conditions(generator, dataset)
    sets = draw(scaled, extractor, plan, asked, range(SETS))
    return Guided(
        solver=generator.adjusted(guidance=1.0).config.sampler.label,
        steps=generator.config.sampler.steps,
        nfe=sets[0].nfe,
        scale=scale,
        recognised=[one.recognised for one in sets if one.recognised is not None],
    )
