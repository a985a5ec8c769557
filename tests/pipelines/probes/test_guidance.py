import numpy as np

from fm.config import SamplerConfig
from fm.data.prepared import Prepared
from fm.images import Images
from pipelines.params import Evaluate
from pipelines.probes.guidance import SCALES, guided
from pipelines.schemas.probes import best_guidance

CHOSEN = Evaluate(extractor="classifier", extractor_weights=None, images=20, sets=4, batch_size=10, seed=0)


class Parity:
    """Sees a label in the lowest digit of an image's first pixel; features are the pixels."""

    name = "parity"

    def __init__(self, knows_labels: bool = True) -> None:
        self.knows_labels = knows_labels

    def features(self, images: Images) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32)

    def classify(self, images: Images) -> np.ndarray | None:
        return images[:, 0, 0, 0].astype(np.int64) % 10 if self.knows_labels else None


def test_shares_at_every_scale_and_those_that_are_read_in_another_set(generators: dict, dataset: Prepared) -> None:
    sampler = SamplerConfig(solver="ddim", steps=2, guidance=1.5)
    found = guided(generators["diffusion"], sampler, Parity(), dataset, CHOSEN)  # type: ignore[arg-type]
    assert [(one.scale, one.nfe) for one in found] == [(scale, 2 if scale == 1 else 4) for scale in SCALES]
    assert {(one.solver, one.steps) for one in found} == {("ddim", 2)}
    best = best_guidance(found)
    assert {one.scale for one in found if len(one.recognised) == 2} == {1.0, best.scale}
    for one in found:
        assert len(one.recognised) in (1, 2)
        assert all(0 <= share <= 1 and share * 20 == round(share * 20) for share in one.recognised)


def test_nothing_without_a_classifier(generators: dict, dataset: Prepared) -> None:
    sampler = SamplerConfig(solver="ddim", steps=2)
    assert guided(generators["diffusion"], sampler, Parity(False), dataset, CHOSEN) == []  # type: ignore[arg-type]


def test_a_network_that_cannot_be_guided_is_read_without(generators: dict, dataset: Prepared) -> None:
    sampler = SamplerConfig(solver="ddim", steps=2)
    found = guided(generators["diffusion"], sampler, Parity(), dataset, CHOSEN, scales=(1.0,))  # type: ignore[arg-type]
    assert [(one.scale, one.nfe, len(one.recognised)) for one in found] == [(1.0, 2, 2)]
