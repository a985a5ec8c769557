"""Stage `prepare`: the dataset as the network sees it, in few files. `python -m pipelines.prepare`."""

from dataclasses import replace

from fm.data import prepared
from fm.data.resize import resize
from fm.data.sources import SOURCES
from pipelines import params
from pipelines.program import run
from pipelines.project import PREPARED, cache_dir, whole_folder


def main() -> None:
    """Write data/prepared.

    Raises:
        ParamsError: params.yaml has a mistake.
        DatasetUnavailable: the dataset is not to be had.
    """
    settings = params.load().dataset
    source = SOURCES[settings.name](cache_dir())
    size = settings.image_size or min(source.train_images.shape[1:3])
    splits = replace(
        source,
        train_images=resize(source.train_images, size),
        test_images=resize(source.test_images, size),
    )
    with whole_folder(PREPARED) as folder:
        prepared.write(folder, splits, settings.name)

    height, width, channels = source.train_images.shape[1:]
    resized = "" if (height, width) == (size, size) else f", from {height}x{width}"
    print(f"{settings.name}: taken from {source.origin}")
    print(
        f"{PREPARED}: {len(splits.train_labels):,} training and {len(splits.test_labels):,} test images, "
        f"{len(splits.label_names)} labels, {size}x{size}x{channels}{resized}"
    )


if __name__ == "__main__":
    run(main)
