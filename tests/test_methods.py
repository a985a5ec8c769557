"""The rows kept in methods/: each is added by one override, trained and measured by the stages, and learns."""

from pathlib import Path

import pytest
import torch

from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.distances import gaussian_distance, moments
from fm.metrics.extractors import load
from pipelines.schemas.evaluation import Evaluation
from tests.conftest import ROOT, Project, checkout

pytestmark = pytest.mark.timeout(3000)  # the first test waits for every row's training
METHODS = sorted(file.stem for file in (ROOT / "methods").glob("*.yaml"))
ADD = """
from flows import settings
settings.override(settings.ROOT / "params.yaml", {f"methods.{name}": f"@methods/{name}.yaml" for name in %r})
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which every row of methods/ has been added, trained and evaluated."""
    project = checkout(tmp_path_factory.mktemp("methods") / "project")
    project.set(train__images_seen=12_800)
    project.run("python", "-c", ADD % METHODS)
    project.set(methods__rectified_flow__pairs__count=2000, methods__one_step__pairs__count=2000)
    project.run("dvc", "repro", *(f"evaluate@{method}" for method in METHODS))
    return project


@pytest.mark.parametrize("method", METHODS)
def test_learns_far_more_than_nothing(measured: Project, method: str) -> None:
    folder = measured.folder
    trained = Generator.load(folder / "artifacts/models" / method)
    evaluation = Evaluation.load(folder / f"metrics/evaluate/{method}.json")
    best = min(evaluation.rows, key=lambda row: row.distance)

    torch.manual_seed(0)
    untrained = Generator.untrained(trained.config).with_sampler(best.sampler)
    images = untrained.sample(evaluation.num_images, seed=0)
    before = distance(folder, images)
    assert best.distance < before / 2, f"{best.distance:.1f} after training, {before:.1f} before"
    assert best.accuracy is not None
    assert best.accuracy > 0.3  # 0.1 by chance


def distance(folder: Path, images: object) -> float:
    """Frechet distance of images to the training split, as the evaluation has it."""
    extractor = load(folder / "artifacts/features", torch.device("cpu"))
    real = Prepared.open(folder / "data/prepared").train.data
    return gaussian_distance(moments(extractor.features(images)), moments(extractor.features(real)))
