"""Two towers trained on the dataset itself, one of pictures and one of captions: whether a picture shows what a caption
says; the tower of pictures has features too, `fid_two_towers`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from fm.images import Images, to_float
from fm.lazy import torch
from fm.metrics.extractors.extractor import Asked, Extractor, ExtractorError, Floats, describe, described, in_batches
from fm.text.encoder import Encoder
from fm.text.finding import require_same

if TYPE_CHECKING:
    from fm.metrics.extractors.two_towers_network import Towers

WEIGHTS = "extractor.safetensors"
BATCH = 500
READING = "{:,} of {:,} captions read"


class TwoTowers(
    Extractor,
    name="two_towers",
    title="two towers",
    says="the features of a network trained to find this dataset's pictures by their captions",
    source="Radford et al. 2021, arXiv 2103.00020",
    dimensions=64,
):
    """Needs a dataset with captions, and a text encoder.

    >>> TwoTowers.name, TwoTowers.dimensions
    ('two_towers', 64)
    """

    epochs: ClassVar[int] = 30
    least_steps: ClassVar[int] = 600
    most_seen: ClassVar[int] = 400_000
    training_batch: ClassVar[int] = 256

    of_pictures = True

    def __init__(
        self, network: Towers, sizes: dict[str, int], encoder: Encoder, sums: Sequence[str], device: torch.device
    ) -> None:
        """
        Args:
            sums: of the encoder's files, as it was trained with them.
        """
        self.network = network.to(device).eval()
        self.sizes, self.encoder, self.sums, self.device = sizes, encoder, tuple(sums), device

    @classmethod
    def prepare(cls, asked: Asked) -> Self:
        from fm.data.embedding import KEPT, means, numbered
        from fm.metrics.extractors.two_towers_network import Towers, contrast
        from fm.metrics.fitting import Schedule, epochs_of, fit, own_order
        from fm.metrics.looking import all_looked_at

        dataset, encoder = asked.dataset, asked.encoder
        if encoder is None:
            raise ExtractorError(
                f"extractor two_towers: needs networks that are told captions, and those of {dataset.name} are told "
                "none: take efficientnet_lite0 or inception"
            )
        texts, of_splits = numbered(dataset)
        of_data = of_splits["train"]
        images = all_looked_at(asked.images, asked.cache)
        _, height, width, channels = images.shape
        sizes = {"channels": channels, "height": height, "width": width, "words": encoder.width}
        torch.manual_seed(0)
        made = cls(Towers(**sizes), sizes, encoder, encoder.sums, asked.device)
        captions = np.array([number for one in of_data for number in one], dtype=np.int64)
        ends = np.cumsum([len(one) for one in of_data], dtype=np.int64)
        batch_size = min(cls.training_batch, len(images))
        epochs = epochs_of(len(images), batch_size, cls.epochs, cls.least_steps, cls.most_seen)
        schedule = Schedule(epochs, batch_size, peak_learning_rate=3e-3)
        words = means(texts, encoder, asked.cache / KEPT, asked.device, lambda *far: asked.report(READING.format(*far)))
        loss = contrast(made.network, words, captions, ends, schedule.seed)
        fit(made.network, images, loss, schedule, asked.device, asked.report, own_order(dataset.train))
        return made

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        from safetensors.torch import load_file

        from fm.metrics.extractors.two_towers_network import Towers

        said = described(folder)
        network = Towers(**said["sizes"]).to(memory_format=torch.channels_last)
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(network, said["sizes"], Encoder.of(said["encoder"]), said["sums"], device)

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        described_by: dict[str, Any] = {"sizes": self.sizes, "encoder": self.encoder.choice, "sums": list(self.sums)}
        describe(folder, self.setting, **described_by)
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    def features(self, images: Images) -> Floats:
        from fm.metrics.looking import looked_at

        return in_batches(lambda part: self.network(to_float(looked_at(part)).to(self.device)), images, BATCH)

    def read(self, captions: Sequence[str]) -> Floats:
        """Captions where pictures are looked for, float32 (N, D). Raises EncoderError: its encoder is not to be had, or
        is another."""
        words = torch.from_numpy(self.words(captions))
        with torch.no_grad():
            heard: Floats = self.network.read(words.to(self.device)).cpu().numpy()
        return heard

    def words(self, captions: Sequence[str]) -> Floats:
        """The mean of each caption's tokens, float32 (N, words)."""
        require_same(f"text encoder {self.encoder.name}", self.encoder.sums, self.sums)
        parts = [captions[start : start + BATCH] for start in range(0, len(captions), BATCH)]
        return np.concatenate([self._words(part) for part in parts])

    def _words(self, captions: Sequence[str]) -> Floats:
        made = self.encoder.encode(captions, self.device)
        mean: Floats = (made.values.sum(dim=1) / made.there.sum(dim=1, keepdim=True)).cpu().numpy()
        return mean
