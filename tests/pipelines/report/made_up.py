"""Made-up results of the earlier stages, with answers that one can work out by hand."""

import csv
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from fm.config import SamplerConfig
from fm.data.splits import Splits
from fm.data.writing import write
from pipelines.params import FILE
from pipelines.project import CURVES, METRICS, NEAREST, PREPARED, ROOT, SAMPLES
from pipelines.schemas.evaluation import CaptionFigure, Evaluation, EvaluationRow, Following
from pipelines.schemas.features import FeatureMetrics
from pipelines.schemas.probes import ChangeOfPath, Convergence, Guided, MethodProbe, Probes, Repetition, SamplerTiming
from pipelines.schemas.train import TrainMetrics

# The luck of each sample set, shared by all methods: it cancels in paired differences and nowhere else.
LUCK = (-0.03, 0.01, 0.02, 0.0)

# What a distance of few images exceeds that of infinitely many by.
BIAS = 2.0

LABELS = ("zero", "one", "two")
SIZE = 8

# (solver, steps, evaluations, distance)
Rows = list[tuple[str, int, int, float]]
FLOW: Rows = [("euler", 5, 5, 20.0), ("euler", 10, 10, 10.0), ("midpoint", 10, 20, 8.0)]
DIFFUSION: Rows = [("ddim", 10, 10, 20.0), ("ddim", 50, 50, 12.0), ("ddim", 100, 100, 10.0)]
TWO = {"flow_matching": FLOW, "diffusion": DIFFUSION}


def row(
    solver: str, steps: int, nfe: int, distance: float, accuracy: float | None = 0.9, call: float = 0.001
) -> EvaluationRow:
    """A row whose sets scatter around `distance` in proportion to it."""
    sets = [distance * (1 + luck) for luck in LUCK]
    return EvaluationRow(
        solver=solver,
        steps=steps,
        sampler=SamplerConfig(solver=solver, steps=steps),
        nfe=nfe,
        distance=sum(sets) / len(sets),
        distance_low=0.9 * distance,
        distance_high=1.1 * distance,
        distance_test=distance + 0.5,
        distance_sets=sets,
        distance_infinity_sets=[(distance - BIAS) * (1 + luck) for luck in LUCK],
        kid=distance / 1000,
        kid_low=distance / 1100,
        kid_high=distance / 900,
        precision=0.8,
        recall=0.7,
        accuracy=accuracy,
        seconds_per_image=call * nfe,
    )


def evaluation(rows: Rows, accuracy: float | None = 0.9, call: float = 0.001) -> Evaluation:
    return Evaluation(
        extractor="classifier",
        reference="training split",
        num_images=250,
        num_sets=len(LUCK),
        confidence=0.95,
        floor=4.0,
        rows=[row(*each, accuracy=accuracy, call=call) for each in rows],
        along=[],
    )


def caption_figure(kind: str, what: str, share: float, of: str = "held out") -> CaptionFigure:
    return CaptionFigure.model_validate(
        {
            "kind": kind,
            "what": what,
            "of": of,
            "share": share,
            "share_low": share - 0.05,
            "share_high": share + 0.05,
            "share_sets": [share + luck for luck in LUCK],
            "floor": 0.01,
            "ceiling": 0.9,
            "count": 692,
        }
    )


def following(better: float = 0.0) -> Following:
    """How a method follows captions: in every figure by so much better than the usual one."""
    return Following(
        sampler=SamplerConfig(solver="euler", steps=10),
        nfe=10,
        figures=[
            caption_figure("ranking", "another caption", 0.8 + better),
            caption_figure("ranking", "another label", 0.7 + better),
            caption_figure("retrieval", "1 of 100", 0.3 + better),
            caption_figure("retrieval", "5 of 692", 0.2 + better),
            caption_figure("attribute", "tone", 0.6 + better),
            caption_figure("attribute", "tone", 0.65 + better, of="seen"),
        ],
    )


def training(seconds: float = 100.0, memory: int = 10**9) -> TrainMetrics:
    return TrainMetrics(
        images_seen=64000,
        steps=1000,
        seconds=seconds,
        images_per_second=64000 / seconds,
        peak_memory_bytes=memory,
        final_loss=0.2,
        parameters=12345,
        flops=10**6,
        resumed=0,
    )


def method_probe(rows: Rows, call: float = 0.001, factor: float = 1.0) -> MethodProbe:
    """A method whose network call takes `call` seconds, and whose other figures are `factor` times the usual ones."""
    return MethodProbe(
        timings=[SamplerTiming(solver=solver, steps=steps, seconds=[call * nfe] * 3) for solver, steps, nfe, _ in rows],
        one_at_a_time=[10 * call * (1 + luck) for luck in LUCK],
        repetitions=[Repetition(solver=rows[0][0], steps=2, bytes=1000, differing=0)],
        convergence=[
            Convergence(steps=steps, distances=[factor * (1 + luck) / steps for luck in LUCK]) for steps in (2, 10, 100)
        ],
        straightness=[0.1 * factor] * 4,
        pixels=[[factor, 0.5, 0.0], [-factor, -0.5, 0.5]],
        guidance=[
            Guided(solver="ddim", steps=10, nfe=10, scale=1.0, recognised=[0.8, 0.8]),
            Guided(solver="ddim", steps=10, nfe=20, scale=2.0, recognised=[0.8 + 0.1 / factor, 0.75 + 0.1 / factor]),
        ],
        step_seconds=[0.1 * factor * (1 + luck) for luck in LUCK],
        step_peak_bytes=[int(1e8 * factor)] * 2,
    )


def probes(methods: dict[str, Rows]) -> Probes:
    """Every method after the first is twice as costly, and as far from its many-step images."""
    return Probes(
        device="cpu",
        threads=2,
        batch_size=64,
        train_batch_size=64,
        guidance_images=250,
        methods={
            method: method_probe(rows, call=0.001 if index == 0 else 0.002, factor=1.0 if index == 0 else 2.0)
            for index, (method, rows) in enumerate(methods.items())
        },
        change_of_path=ChangeOfPath(method="diffusion", steps=50, differences=[1e-9, 2e-9]),
    )


def write_project(root: Path, methods: dict[str, Rows], nfe: int = 10, metric: str | None = None) -> None:
    """Everything that the stage compare reads, under `root`."""
    write_params(root, methods, nfe, metric)
    write_dataset(root / PREPARED)
    FeatureMetrics(extractor="classifier", dimensions=64, test_accuracy=0.97, seconds=1.0).save(
        root / METRICS / "features.json"
    )
    probes(methods).save(root / METRICS / "probes.json")
    for method, rows in methods.items():
        evaluation(rows).save(root / METRICS / "evaluate" / f"{method}.json")
        training().save(root / METRICS / "train" / f"{method}.json")
        write_curve(root / CURVES / f"{method}.csv")
        for solver, steps, _, _ in rows:
            write_sheets(root / SAMPLES / method, f"{solver}-{steps}")


def write_params(root: Path, methods: dict[str, Rows], nfe: int, metric: str | None) -> None:
    content = yaml.safe_load((ROOT / FILE).read_text())
    settings = content["methods"]["flow_matching"]
    content["dataset"]["name"] = "digits"
    content["methods"] = dict.fromkeys(methods, settings)
    content["register"] |= {"nfe": nfe, "metric": metric}
    (root / FILE).write_text(yaml.safe_dump(content, sort_keys=False))


def write_dataset(folder: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (60, SIZE, SIZE, 1), dtype=np.uint8)
    labels = np.arange(60, dtype=np.int64) % len(LABELS)
    write(folder, Splits(images[:45], labels[:45], images[45:], labels[45:], LABELS), "digits")


def write_curve(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["step", "images_seen", "loss", "learning_rate", "gradient_norm"])
        lines.writerows([step, 64 * step, 1 / step, 0.001, 0.5] for step in range(50, 1001, 50))


def write_sheets(folder: Path, name: str) -> None:
    """What evaluate leaves of one sampler: a sheet of samples, and samples over their nearest training images."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, rows in ((f"{name}.png", 8), (f"{name}{NEAREST}", 3)):
        shape = (rows * (SIZE + 1) + 1, len(LABELS) * (SIZE + 1) + 1)
        Image.fromarray(np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)).save(folder / file)
