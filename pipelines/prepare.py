"""Stage `prepare`: the dataset as the network sees it, in few files. `python -m pipelines.prepare`."""

from dataclasses import replace
from pathlib import Path

from fm.data import duplicates, prepared
from fm.data.decoding import to_channels
from fm.data.resize import resize
from fm.data.sources import SOURCES, Request, Splits
from pipelines import params
from pipelines.params import Dataset
from pipelines.program import run
from pipelines.project import METRICS, PREPARED, cache_dir, whole_folder
from pipelines.schemas import PrepareMetrics, Same, SkippedFile
from pipelines.stage import Stage, require_unchanged, running


def main() -> None:
    """Write data/prepared and metrics/prepare.json.

    Raises:
        ParamsError: params.yaml has a mistake.
        UserError: the dataset is not to be had, or has files that cannot be used.
        StageChanged: settings, code or data are others than when this began.
    """
    with running("prepare") as stage:
        prepare(stage)


def prepare(stage: Stage) -> None:
    settings = params.load().dataset
    assert settings.image_size is not None
    assert settings.channels is not None
    source = SOURCES[settings.name](request(settings))
    splits = replace(
        source,
        train_images=to_channels(resize(source.train_images, settings.image_size), settings.channels),
        test_images=to_channels(resize(source.test_images, settings.image_size), settings.channels),
    )
    metrics = measured(splits)
    with whole_folder(PREPARED) as folder:
        prepared.write(folder, splits, settings.name)
        require_unchanged(stage)
    metrics.save(METRICS / "prepare.json")
    tell(settings, source, metrics)


def request(settings: Dataset) -> Request:
    assert settings.image_size is not None
    assert settings.channels is not None
    return Request(
        cache=cache_dir(),
        path=Path(settings.path),
        size=settings.image_size,
        channels=settings.channels,
        test_fraction=settings.test_fraction,
        skip_bad=settings.on_bad_image == "skip",
    )


def measured(splits: Splits) -> PrepareMetrics:
    pairs = duplicates.across(splits.train_images, splits.test_images)
    return PrepareMetrics(
        train_images=len(splits.train_labels),
        test_images=len(splits.test_labels),
        labels=len(splits.label_names),
        num_skipped=len(splits.skipped),
        num_in_both_splits=len(pairs),
        skipped=[SkippedFile(file=one.file, reason=one.reason) for one in splits.skipped],
        in_both_splits=[Same(train=named(splits.train_files, i), test=named(splits.test_files, j)) for i, j in pairs],
    )


def named(files: tuple[str, ...], row: int) -> str:
    return files[row] if files else f"image {row}"


def tell(settings: Dataset, source: Splits, metrics: PrepareMetrics) -> None:
    height, width = source.train_images.shape[1:3]
    size = settings.image_size
    resized = "" if (height, width) == (size, size) else f", from {height}x{width}"
    print(f"{settings.name}: taken from {source.origin}")
    for one in metrics.skipped:
        print(f"skipped: {one.file}: {one.reason}")
    if metrics.in_both_splits:
        first = metrics.in_both_splits[0]
        count = len(metrics.in_both_splits)
        print(f"{count} test images are training images too, pixel for pixel: {first.test} is {first.train}")
    print(
        f"{PREPARED}: {metrics.train_images:,} training and {metrics.test_images:,} test images, "
        f"{metrics.labels} labels, {size}x{size}x{settings.channels}{resized}"
    )


if __name__ == "__main__":
    run(main)
