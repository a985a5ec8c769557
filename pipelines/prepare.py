"""Stage `prepare`: the dataset as the network sees it, in few files. `python -m pipelines.prepare`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fm.components import ANY
from fm.data import duplicates, prepared
from fm.data.decoding import to_channels
from fm.data.folder_contents import look_into, shown
from fm.data.resize import resize
from fm.data.sources import Dataset, Request, Splits
from pipelines import params
from pipelines.program import run
from pipelines.project import METRICS, PREPARED, cache_dir, whole_folder
from pipelines.schemas.prepare import ImagesElsewhere, LabelCount, LeftOutFiles, PrepareMetrics, Same, SkippedFile
from pipelines.stage import Stage, require_unchanged, running

FILE = "prepare.json"
LINES = 20
"""Most lines that are printed of a kind."""
LABELS = 100
"""Most labels that are printed."""


def main() -> None:
    """Write data/prepared and metrics/prepare.json.

    Raises:
        ParamsError: params.yaml has a mistake.
        UserError: the dataset is not to be had, or has files that cannot be used.
        StageChanged: settings, code or data are others than when this began.
    """
    dataset = params.load().dataset
    if dataset.name == "image-folder":
        look_into(Path(dataset.path))  # before DVC hashes it, which would wait for a named pipe for ever
    with running("prepare") as stage:
        prepare(stage)


def prepare(stage: Stage) -> None:
    settings = params.load().dataset
    source = Dataset.of(settings.name, ANY).load(request(settings))
    splits = replace(
        source,
        train_images=to_channels(resize(source.train_images, settings.image_size), settings.channels),
        test_images=to_channels(resize(source.test_images, settings.image_size), settings.channels),
    )
    metrics = measured(splits)
    with whole_folder(PREPARED) as folder:
        from fm.data.writing import write  # PyTorch takes seconds to import, and a mistake is told without

        write(folder, splits, settings.name)
        require_unchanged(stage)
    metrics.save(METRICS / FILE)
    tell(settings, source, metrics)


def request(settings: params.Dataset) -> Request:
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
        num_left_out=sum(one.files for one in splits.left_out),
        num_elsewhere=sum(one.images for one in splits.elsewhere),
        skipped=[SkippedFile(file=one.file, reason=one.reason) for one in splits.skipped],
        by_label=by_label(splits),
        left_out=[LeftOutFiles(place=one.label, kind=one.kind, files=one.files) for one in splits.left_out],
        elsewhere=[
            ImagesElsewhere(place=one.label, target=one.place, images=one.images, by_folder=one.by_folder)
            for one in splits.elsewhere
        ],
        warnings=list(splits.warnings),
        in_both_splits=[Same(train=named(splits.train_files, i), test=named(splits.test_files, j)) for i, j in pairs],
    )


def by_label(splits: Splits) -> list[LabelCount]:
    train, test = (
        prepared.by_label(labels, splits.label_names) for labels in (splits.train_labels, splits.test_labels)
    )
    return [LabelCount(label=name, train=train[name], test=test[name]) for name in splits.label_names]


def named(files: tuple[str, ...], row: int) -> str:
    return files[row] if files else f"image {row}"


def tell(settings: params.Dataset, source: Splits, metrics: PrepareMetrics) -> None:
    height, width = source.train_images.shape[1:3]
    size = settings.image_size
    resized = "" if (height, width) == (size, size) else f", from {height}x{width}"
    print(f"{settings.name}: taken from {source.origin}")
    print_some("skipped: ", [f"{shown(one.file)}: {shown(one.reason)}" for one in metrics.skipped])
    print_some("left out: ", left_out(metrics))
    print_some("", [elsewhere(one) for one in metrics.elsewhere])
    if metrics.in_both_splits:
        first = metrics.in_both_splits[0]
        count = len(metrics.in_both_splits)
        print(
            f"{count} test images are training images too, pixel for pixel: {shown(first.test)} is {shown(first.train)}"
        )
    if counted := [f"{shown(one.label)} {one.train + one.test:,}" for one in metrics.by_label[:LABELS]]:
        more = len(metrics.by_label) - LABELS
        print(f"labels: {', '.join(counted)}{f' and {more:,} more' if more > 0 else ''}")
    for warning in metrics.warnings:
        print(f"warning: {warning}")
    print(
        f"{PREPARED}: {metrics.train_images:,} training and {metrics.test_images:,} test images, "
        f"{metrics.labels} labels, {size}x{size}x{settings.channels}{resized}"
    )


def print_some(start: str, lines: Sequence[str]) -> None:
    for line in lines[:LINES]:
        print(f"{start}{line}")
    if len(lines) > LINES:
        print(f"{start}{len(lines) - LINES:,} more in {METRICS / FILE}")


def left_out(metrics: PrepareMetrics) -> list[str]:
    """What is no image: a line for each sub-folder."""
    kinds: dict[str, list[str]] = {}
    for one in metrics.left_out:
        kinds.setdefault(one.place, []).append(f"{one.files:,} {shown(one.kind)}")
    return [f"{', '.join(those)} in {shown(place)}/" for place, those in kinds.items()]


def elsewhere(images: ImagesElsewhere) -> str:
    unseen = ", by a link to a folder: DVC does not look behind it, so after a change there `dvc repro --force prepare`"
    return (
        f"{images.images:,} images of {shown(images.place)}/ lie outside of the folder, in {images.target}"
        f"{unseen if images.by_folder else ''}"
    )


if __name__ == "__main__":
    run(main)
