"""Stage `features`: the extractor that everything is measured with, and the features of the real data; where networks
are told captions, those who judge whether they follow them, too."""

import time
from pathlib import Path

import numpy as np
import torch

from fm import devices
from fm.components import ANY
from fm.data.prepared import Prepared
from fm.data.rows import data_of
from fm.metrics.extractors import Asked, features_of, labels_of, prepare
from fm.text import Encoder
from pipelines import params
from pipelines.dataset import opened
from pipelines.following import train_judges
from pipelines.machine import Moment
from pipelines.measuring import describe_real, measures_of
from pipelines.params import Captions, Params
from pipelines.program import run
from pipelines.project import FEATURES, METRICS, cache_dir, compute_slot, whole_folder
from pipelines.schemas.features import FeatureMetrics
from pipelines.stage import Stage, require_unchanged, running


def main() -> None:
    with running("features") as stage:
        extract(stage)


def extract(stage: Stage) -> None:
    settings = params.load()
    dataset = opened()
    params.require_seen(settings.evaluate, dataset.name, dataset.stored, dataset.train.kinds["data"][1])
    params.require_enough(settings.evaluate, len(dataset.train), len(dataset.test))
    device = devices.pick(settings.train.accelerator)
    with compute_slot(device.type), whole_folder(FEATURES) as folder:
        started, began = time.perf_counter(), Moment.now()
        needed = asked(settings, dataset, device)
        extractor = prepare(needed, ANY)
        extractor.save(folder)
        if needed.encoder is not None:
            train_judges(needed, extractor, folder)
        train = features_of(extractor, data_of(dataset.train))
        test = features_of(extractor, data_of(dataset.test))
        np.save(folder / "train.npy", train)
        np.save(folder / "test.npy", test)
        seen = labels_of(extractor, data_of(dataset.test))
        right = None if seen is None else seen == dataset.test.column("label")
        if (measures := measures_of(settings.dataset)) is not None:
            describe_real(measures, dataset.train, None, folder, "train")
            describe_real(measures, dataset.test, right, folder, "test")
        require_unchanged(stage)
    accuracy = None if right is None else float(right.mean())
    metrics = FeatureMetrics(
        extractor=extractor.name,
        dimensions=train.shape[1],
        test_accuracy=accuracy,
        seconds=time.perf_counter() - started,
        machine_load=began.load(),
    )
    metrics.save(METRICS / "features.json")
    known = "knows no labels" if accuracy is None else f"test accuracy {accuracy:.2%}"
    print_line(f"{extractor.name}: {train.shape[1]} features; {known}")


def asked(settings: Params, dataset: Prepared, device: torch.device) -> Asked:
    chosen, condition = settings.evaluate, settings.dataset.condition
    weights = None if chosen.extractor_weights is None else Path(chosen.extractor_weights)
    encoder = Encoder.of(condition.encoder) if isinstance(condition, Captions) else None
    return Asked(chosen.extractor, dataset, device, weights, cache_dir(), print_line, encoder)


def print_line(line: str) -> None:
    print(f"features: {line}", flush=True)


if __name__ == "__main__":
    run(main)
