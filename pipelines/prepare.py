"""Stage `prepare`: the dataset as the network sees it, in few files. `python -m pipelines.prepare`."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from fm import s3
from fm.components import ANY
from fm.data import duplicates, prepared
from fm.data.caption_reading import Faults, numbers_of
from fm.data.decoding import to_channels
from fm.data.folder_contents import look_into, shown
from fm.data.listing import FileDataset, Listing
from fm.data.resize import resize
from fm.data.sources import CodedDataset, CodedSplits, Dataset, Request, Splits
from fm.data.splits import Elsewhere, LeftOut, Skipped
from fm.errors import UserError
from pipelines import params
from pipelines.program import run
from pipelines.project import METRICS, PREPARED, cache_dir, whole_folder
from pipelines.schemas.prepare import (
    CaptionCount,
    CaptionFaults,
    ImagesElsewhere,
    LabelCount,
    LeftOutFiles,
    PrepareMetrics,
    Same,
    SkippedFile,
)
from pipelines.stage import Stage, require_unchanged, running

if TYPE_CHECKING:
    from fm.data.assembling import Sharded

FILE, LABEL = "prepare.json", "label"
MOST_IN_ARRAYS = 4_000_000_000  # bytes
MB = 1_000_000
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
    if suffixes := Dataset.of(dataset.choice, ANY).suffixes:
        look_into(Path(dataset.path), suffixes)  # before DVC hashes it, which would wait for a named pipe for ever
    with running("prepare") as stage:
        prepare(stage)


def prepare(stage: Stage) -> None:
    settings = params.load().dataset
    source = Dataset.of(settings.choice, ANY)
    if isinstance(source, CodedDataset):
        write_coded(stage, settings, source)
    elif (listing := to_be_sharded(settings, source)) is None:
        write_arrays(stage, settings, source)
    else:
        write_shards(stage, settings, listing)


def to_be_sharded(settings: params.Dataset, source: Dataset) -> Listing | None:
    """What is to be prepared as shards; none if it is arrays that are wanted."""
    if not isinstance(source, FileDataset) or settings.storage == "arrays":
        return None
    listing = source.listing(Path(settings.path), mixed=True)
    size, channels = settings.pictures
    most = MOST_IN_ARRAYS // (size**2 * channels)
    return listing if settings.storage == "shards" or listing.has_more_than(most) else None


def write_arrays(stage: Stage, settings: params.Dataset, dataset: Dataset) -> None:
    source = dataset.load(request(settings))
    if not isinstance(source, Splits):
        raise UserError(
            f"dataset.name = {settings.name}: its data have a codec of their own, so its class must inherit from "
            "fm.data.sources.CodedDataset"
        )
    size, channels = settings.pictures
    splits = replace(
        source,
        train_images=to_channels(resize(source.train_images, size), channels),
        test_images=to_channels(resize(source.test_images, size), channels),
    )
    metrics = measured(splits)
    with whole_folder(PREPARED) as folder:
        from fm.data.writing import write  # PyTorch takes seconds to import, and a mistake is told without

        write(folder, splits, settings.name)
        require_unchanged(stage)
    metrics.save(METRICS / FILE)
    height, width = source.train_images.shape[1:3]
    resized = "" if (height, width) == (size, size) else f", from {height}x{width}"
    tell(settings, source.origin, metrics, f"{size}x{size}x{channels}{resized}")
    no_store_for_arrays(settings)


def write_coded(stage: Stage, settings: params.Dataset, dataset: CodedDataset) -> None:
    """Data of any shape, which are kept as they are."""
    splits = dataset.load(request(settings))
    if isinstance(settings.condition, params.Part):
        from pipelines.dataset import part_of

        part_of(settings.condition, splits.codec)  # before anything is trained on them
    metrics = measured_coded(splits)
    with whole_folder(PREPARED) as folder:
        from fm.data.writing import write

        write(folder, splits, settings.name)
        require_unchanged(stage)
    metrics.save(METRICS / FILE)
    shape = "x".join(map(str, splits.codec.stored))
    tell(settings, splits.origin, metrics, f"{splits.codec.dtype} {shape}", "data")
    no_store_for_arrays(settings)


def no_store_for_arrays(settings: params.Dataset) -> None:
    if settings.store is not None:
        print(f"warning: dataset.store: {settings.store} is not used: only shards lie there, and these are arrays")


def write_shards(stage: Stage, settings: params.Dataset, listing: Listing) -> None:
    """What is made of a part is kept until the stage has ended: killed, it goes on with the parts that are missing."""
    from fm.data.assembling import sharded
    from fm.data.sharding import Plan

    work = cache_dir() / "sharding" / stage.key
    place = None if settings.store is None else s3.parse(settings.store)
    if place is not None:
        place.require_keys()
    plan = Plan(request(settings), int(settings.shard_megabytes * MB), work, place)
    made = sharded(listing, plan)
    metrics = measured_shards(listing, made)
    with whole_folder(PREPARED) as folder:
        from fm.data.writing import write_sharded

        write_sharded(folder, settings.name, made, plan, int(settings.window_megabytes * MB))
        require_unchanged(stage)
    metrics.save(METRICS / FILE)
    shutil.rmtree(work)
    count = len(made.train) + len(made.test)
    size, channels = settings.pictures
    where = "" if place is None else f" in {place}"
    tell(settings, listing.origin, metrics, f"{size}x{size}x{channels}, in {count:,} shards{where}")


def request(settings: params.Dataset) -> Request:
    return Request(
        cache=cache_dir(),
        path=Path(settings.path),
        size=settings.image_size or 0,
        channels=settings.channels or 0,
        test_fraction=settings.test_fraction,
        skip_bad=settings.on_bad_image == "skip",
    )


def measured(splits: Splits) -> PrepareMetrics:
    pairs = duplicates.across(splits.train_images, splits.test_images)
    same = [(named(splits.train_files, i), named(splits.test_files, j)) for i, j in pairs]
    labels = splits.train_labels, splits.test_labels, splits.label_names
    captions = numbers_of(map(len, splits.train_texts + splits.test_texts))
    return metrics_of(splits, *labels, splits.elsewhere, same, captions)


def measured_coded(splits: CodedSplits) -> PrepareMetrics:
    """Labels are counted where the data are under them."""
    both = splits.train, splits.test
    names = splits.conditioner.choices if LABEL in splits.train.kinds else ()
    train, test = (rows.column(LABEL) if names else np.zeros(len(rows), np.int64) for rows in both)
    pairs = duplicates.across(splits.train.data, splits.test.data)
    same = [(named(splits.train_files, i, "datum"), named(splits.test_files, j, "datum")) for i, j in pairs]
    texts = [text for rows in both if rows.texts is not None for text in rows.captions(np.arange(len(rows)))]
    captions = numbers_of(len(text.splitlines()) for text in texts)
    return metrics_of(splits, train, test, names, [], same, captions)


def measured_shards(listing: Listing, made: "Sharded") -> PrepareMetrics:
    labels = made.train_labels, made.test_labels, made.label_names
    return metrics_of(made, *labels, listing.elsewhere, made.in_both_splits, made.captions)


class Found(Protocol):
    """What a source has found beside images."""

    @property
    def skipped(self) -> Sequence[Skipped]: ...

    @property
    def left_out(self) -> Sequence[LeftOut]: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    @property
    def caption_faults(self) -> Sequence[Faults]: ...


def metrics_of(
    found: Found,
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    label_names: tuple[str, ...],
    elsewhere: Sequence[Elsewhere],
    same: Sequence[tuple[str, str]],
    captions: Mapping[int, int],
) -> PrepareMetrics:
    counts = [prepared.by_label(labels, label_names) for labels in (train, test)]
    return PrepareMetrics(
        train_images=len(train),
        test_images=len(test),
        labels=len(label_names),
        num_skipped=len(found.skipped),
        num_in_both_splits=len(same),
        num_left_out=sum(one.files for one in found.left_out),
        num_elsewhere=sum(one.images for one in elsewhere),
        num_captioned=sum(images for number, images in captions.items() if number),
        num_captions=sum(number * images for number, images in captions.items()),
        skipped=[SkippedFile(file=one.file, reason=one.reason) for one in found.skipped],
        by_label=[LabelCount(label=name, train=counts[0][name], test=counts[1][name]) for name in label_names],
        left_out=[LeftOutFiles(place=one.label, kind=one.kind, files=one.files) for one in found.left_out],
        elsewhere=[
            ImagesElsewhere(place=one.label, target=one.place, images=one.images, by_folder=one.by_folder)
            for one in elsewhere
        ],
        by_captions=[CaptionCount(captions=number, images=images) for number, images in captions.items()],
        caption_faults=[
            CaptionFaults(reason=one.reason, count=one.number, places=[shown(place) for place in one.places])
            for one in found.caption_faults
        ],
        warnings=list(found.warnings),
        in_both_splits=[Same(train=one, test=other) for one, other in same],
    )


def named(files: tuple[str, ...], row: int, what: str = "image") -> str:
    return files[row] if files else f"{what} {row}"


def tell(settings: params.Dataset, origin: str, metrics: PrepareMetrics, shape: str, what: str = "images") -> None:
    """Args: shape: of one of them, and how they lie; what: what they are called."""
    print(f"{settings.name}: taken from {origin}")
    print_some("skipped: ", [f"{shown(one.file)}: {shown(one.reason)}" for one in metrics.skipped])
    print_some("left out: ", left_out(metrics))
    print_some("", [elsewhere(one) for one in metrics.elsewhere])
    if metrics.in_both_splits:
        first = metrics.in_both_splits[0]
        count = len(metrics.in_both_splits)
        exactly = "pixel for pixel" if what == "images" else "to the last bit"
        print(f"{count} test {what} are training {what} too, {exactly}: {shown(first.test)} is {shown(first.train)}")
    if counted := [f"{shown(one.label)} {one.train + one.test:,}" for one in metrics.by_label[:LABELS]]:
        more = len(metrics.by_label) - LABELS
        print(f"labels: {', '.join(counted)}{f' and {more:,} more' if more > 0 else ''}")
    if metrics.num_captioned:
        print(f"captions: {captions(metrics, what)}")
    for faults in metrics.caption_faults:
        print(f"warning: captions: {captions_not_kept(faults)}")
    for warning in metrics.warnings:
        print(f"warning: {warning}")
    print(
        f"{PREPARED}: {metrics.train_images:,} training and {metrics.test_images:,} test {what}, "
        f"{metrics.labels} labels, {shape}"
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


def captions(metrics: PrepareMetrics, what: str) -> str:
    numbers = [one.captions for one in metrics.by_captions if one.captions]
    each = f"{numbers[0]} each" if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]} each"
    of = metrics.train_images + metrics.test_images
    return f"{metrics.num_captioned:,} of {of:,} {what} have {each}"


def captions_not_kept(faults: CaptionFaults) -> str:
    more = faults.count - len(faults.places)
    return f"{faults.count:,} {faults.reason}: {', '.join(faults.places)}{f' and {more:,} more' if more else ''}"


def elsewhere(images: ImagesElsewhere) -> str:
    unseen = ", by a link to a folder: DVC does not look behind it, so after a change there `dvc repro --force prepare`"
    return (
        f"{images.images:,} images of {shown(images.place)}/ lie outside of the folder, in {images.target}"
        f"{unseen if images.by_folder else ''}"
    )


if __name__ == "__main__":
    run(main)
