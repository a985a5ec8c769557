"""Stage `prepare`: the dataset as the network sees it, in few files. `python -m pipelines.prepare`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from fm.data import prepared
from fm.data.resize import resize
from fm.data.sources import SOURCES, DatasetUnavailable
from pipelines import params
from pipelines.project import PREPARED, cache_dir, set_environment, whole_folder


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


@contextmanager
def plain_errors(*kinds: type[Exception]) -> Iterator[None]:
    """End the program with the message alone and code 1 on errors that are the user's to mend."""
    try:
        yield
    except kinds as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    set_environment()
    with plain_errors(params.ParamsError, DatasetUnavailable):
        main()
