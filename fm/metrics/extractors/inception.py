"""The published Inception network, and the resizing of clean-fid: the one extractor whose distance is called FID.

Heusel et al. 2017, arXiv 1706.08500; Parmar et al. 2022, arXiv 2104.11222.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from fm.data.fetching import Files, Origin, Unusable, collect, download
from fm.images import Images
from fm.lazy import torch
from fm.metrics.extractors.extractor import Asked, Extractor, Floats, describe, in_batches
from fm.metrics.extractors.resizing import bicubic

# The network of StyleGAN2-ADA, which clean-fid takes: TensorFlow's inception-2015-12-05 as TorchScript.
URL = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
WEIGHTS = "inception-2015-12-05.pt"
SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
SIZE = 299  # pixels
BATCH, BATCH_ON_CPU = 50, 10
"""Pictures at a time. On a CPU so few that they, 11 MB, are put where those before them were: from 32 MB on, glibc asks
the kernel for memory every time, whose new pages took half of the time of resizing."""


class InceptionExtractor(
    Extractor,
    name="inception",
    title="Inception",
    says="the features of the published Inception network, with images resized as clean-fid does",
    source="Heusel et al. 2017, arXiv 1706.08500; Parmar et al. 2022, arXiv 2104.11222",
    dimensions=2048,
):
    """2048 features, as clean-fid's mode "clean" has them for the same images.

    >>> InceptionExtractor.name, InceptionExtractor.dimensions
    ('inception', 2048)
    """

    of_pictures = True

    def __init__(self, weights: Path, device: torch.device) -> None:
        from cleanfid.inception_torchscript import InceptionV3W

        self.weights = weights
        self.device = device
        self.network = InceptionV3W(str(weights.parent), download=False).to(device)

    @classmethod
    def prepare(cls, asked: Asked, url: str = URL, sha256: str = SHA256) -> Self:
        """Weights from evaluate.extractor_weights, else the cache, else the official download.

        Raises:
            DatasetUnavailable: none of them gave the file that it should be; the message says what to do.
        """
        downloads = asked.cache / "downloads" / "inception"
        given = [] if asked.weights is None else [one_file("evaluate.extractor_weights", asked.weights)]
        advice = (
            f"You can connect this machine to the network, or copy {url}{WEIGHTS} into {downloads}, "
            "or name where it lies with evaluate.extractor_weights; "
            "or measure with evaluate.extractor: efficientnet_lite0 or classifier, which need no download."
        )
        collect("Inception", {WEIGHTS: sha256}, bytes, downloads, [*given, download("download", url)], advice)
        return cls(downloads / WEIGHTS, asked.device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        return cls(folder / WEIGHTS, device)

    def save(self, folder: Path) -> None:
        describe(folder, self.setting)
        shutil.copyfile(self.weights, folder / WEIGHTS)

    def features(self, images: Images) -> Floats:
        return in_batches(self._features, images, BATCH_ON_CPU if self.device.type == "cpu" else BATCH)

    def _features(self, images: Images) -> torch.Tensor:
        # Grey pictures are resized once for the three channels.
        out: torch.Tensor = self.network(bicubic(images, SIZE, self.device).expand(-1, 3, -1, -1))
        return out


def one_file(label: str, path: Path) -> Origin:
    """A single file that the user has, whatever its name."""

    def read(names: Iterable[str]) -> Files:
        for name in names:
            try:
                yield name, path.read_bytes()
            except OSError as error:
                raise Unusable(error.strerror or str(error)) from None

    return Origin(f"{label} ({path})", read)
