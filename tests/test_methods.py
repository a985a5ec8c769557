"""The rows kept in methods/: each is added by one override, trained and measured by the stages, and learns."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from fm.data.prepared import Prepared
from fm.generator import Generator
from fm.metrics.distances import gaussian_distance, moments
from fm.metrics.extractors import load
from pipelines.schemas.evaluation import Evaluation
from pipelines.schemas.pairs import PairsMetrics
from pipelines.schemas.train import TrainMetrics
from tests.conftest import ROOT, Project, copied

pytestmark = [pytest.mark.runs, pytest.mark.timeout(3000)]  # the first test waits for every row's training
METHODS = sorted(file.stem for file in (ROOT / "methods").glob("*.yaml"))
SLOWEST = "diffusion_transformer"
"""To learn: it is well beyond chance after what is more than enough for the others."""
ADD = """
from flows import settings
settings.override(settings.ROOT / "params.yaml", {f"methods.{name}": f"@methods/{name}.yaml" for name in %r})
"""
BY_DVC = "evaluate@rectified_flow"
"""What DVC runs, with all it needs: pairs too, which no other test has it make."""
OTHERS = """
import sys
from importlib import import_module
from flows.graph import read, with_needs
from pipelines.project import ROOT
stages = read(ROOT)
made = with_needs(stages, sys.argv[1:2])
for stage in with_needs(stages, sys.argv[2:]):
    if stage not in made:
        program, _, method = stage.partition("@")
        import_module(f"pipelines.{program}").main(method)
"""
"""The other stages in one process: each by itself would take longer to start than to train."""


GUIDANCE = {"by": "snapshot", "scale": 1.5}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, prepared: Project) -> Project:
    """A project in which every row of methods/ has been added, trained and evaluated."""
    project = copied(prepared, tmp_path_factory.mktemp("methods") / "project")
    project.set(train__images_seen=9600, train__checkpoint_every=1000, train__snapshots=1, network__multipliers=None)
    project.run("python", "-c", ADD % METHODS)
    rows = yaml.safe_load((project.folder / "params.yaml").read_text())["methods"]
    project.set_all({f"methods.{name}.samplers": [brief(one) for one in row["samplers"]] for name, row in rows.items()})
    guided = {"solver": "euler", "steps": [5], "guidance": GUIDANCE}
    project.set(methods__ot_cfm__samplers=[{"solver": "euler", "steps": [1, 5, 10]}, guided])
    project.set(methods__rectified_flow__pairs__count=2000, methods__one_step__pairs__count=2000)
    project.run("dvc", "repro", BY_DVC)
    project.run("python", "-c", OTHERS, BY_DVC, *(f"evaluate@{method}" for method in METHODS if method != SLOWEST))
    project.set(train__images_seen=16_000)
    project.run("python", "-c", OTHERS, BY_DVC, f"evaluate@{SLOWEST}")
    return project


def brief(sampler: dict[str, Any]) -> dict[str, Any]:
    """With its fewest steps, and with the most up to ten: what others lie between says nothing here."""
    steps = sampler["steps"]
    return {**sampler, "steps": sorted({min(steps), max(filter(lambda count: count <= 10, steps), default=min(steps))})}


@pytest.mark.parametrize("method", METHODS)
def test_learns_far_more_than_nothing(measured: Project, method: str) -> None:
    folder = measured.folder
    trained = Generator.load(folder / "artifacts/models" / method)
    evaluation = Evaluation.load(folder / f"metrics/evaluate/{method}.json")
    of_itself = [row for row in evaluation.rows if row.sampler.snapshot is None]
    best = min(of_itself, key=lambda row: row.distance)

    torch.manual_seed(0)
    untrained = Generator.untrained(trained.config).with_sampler(best.sampler)
    images = untrained.sample(evaluation.num_images, seed=0)
    before = distance(folder, images)
    assert best.distance < before / 2, f"{best.distance:.1f} after training, {before:.1f} before"
    assert best.accuracy is not None
    assert best.accuracy > 0.3  # 0.1 by chance


def test_what_pairs_have_cost_is_counted(measured: Project) -> None:
    metrics = measured.folder / "metrics"
    made = PairsMetrics.load(metrics / "pairs/rectified_flow.json")
    first, second, third = (
        TrainMetrics.load(metrics / f"train/{name}.json") for name in ("flow_matching", "rectified_flow", "one_step")
    )
    assert made.pairs == 2000
    assert second.before == first.behind("flow_matching", made.seconds)
    assert second.seconds_in_all == first.seconds + made.seconds + second.seconds
    assert third.before is not None
    assert third.before.seconds == second.seconds_in_all
    assert third.before.pairs_seconds > 0


def test_a_method_is_measured_led_away_from_its_own_snapshot(measured: Project) -> None:
    evaluation = Evaluation.load(measured.folder / "metrics/evaluate/ot_cfm.json")
    rows = {(row.solver, row.steps): row for row in evaluation.rows}
    plain, guided = rows["euler", 5], rows["euler-guidance1.5-snapshot1", 5]
    assert (plain.nfe, guided.nfe) == (5, 10)
    assert guided.distance != plain.distance
    assert guided.distance < 2 * plain.distance


def test_two_processes_measure_the_way_of_a_training_as_one_does(measured: Project) -> None:
    """By a sampler that does not lead away from a snapshot, though the best does."""
    plain = {"solver": "euler", "steps": [1]}
    measured.set(methods__ot_cfm__samplers=[plain, {"solver": "euler", "steps": [5], "guidance": GUIDANCE}])
    evaluation = measured.folder / "metrics/evaluate/ot_cfm.json"
    measured.run("python", "-m", "pipelines.evaluate", "ot_cfm")
    one = Evaluation.load(evaluation)
    assert min(one.rows, key=lambda row: row.distance).sampler.snapshot is not None
    measured.run("torchrun", "--standalone", "--nproc-per-node=2", "-m", "pipelines.evaluate", "ot_cfm")
    assert Evaluation.load(evaluation).along == one.along


def distance(folder: Path, images: object) -> float:
    """Frechet distance of images to the training split, as the evaluation has it."""
    extractor = load(folder / "artifacts/features", torch.device("cpu"))
    real = Prepared.open(folder / "data/prepared").train.data
    return gaussian_distance(moments(extractor.features(images)), moments(extractor.features(real)))
