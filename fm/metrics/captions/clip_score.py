"""How near a picture and its caption are to a CLIP that one has: the cosine between them. The CLIP score is 2.5 times
that (Hessel et al. 2021, arXiv 2104.08718)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from fm.images import Images
from fm.metrics.extractors.extractor import in_batches, rgb
from fm.metrics.extractors.resizing import bicubic
from fm.text.encoder import EncoderError
from fm.text.from_transformers import Family, loaded
from fm.text.tokens import Tokens, read

Floats = NDArray[np.float32]

BATCH = 100
PICTURES = "preprocessor_config.json"
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the colours, from 0 to 1, as OpenAI's CLIPs have them; the folder may say otherwise."""


WHOLE = Family("CLIPModel", "CLIPTokenizer", ("clip",))


@dataclass(frozen=True)
class CLIPJudge:
    """A CLIPModel of transformers (Radford et al. 2021, arXiv 2103.00020).

    Attributes:
        network, tokenizer: as transformers and tokenizers have them.
        mean, deviation: of the colours.

    >>> CLIPJudge.of(Path("nowhere"), torch.device("cpu"))
    Traceback (most recent call last):
    ...
    fm.text.encoder.EncoderError: nowhere: must be a folder with a CLIPModel as transformers saves it
    """

    network: Any
    tokenizer: Any
    mean: Sequence[float]
    deviation: Sequence[float]
    device: torch.device

    @classmethod
    def of(cls, folder: Path, device: torch.device) -> Self:
        """What lies in a folder. Raises EncoderError: it is none, or has another model."""
        if not folder.is_dir():
            raise EncoderError(f"{folder}: must be a folder with a CLIPModel as transformers saves it")
        tokenizer, network = loaded(WHOLE, folder)
        return cls(network.to(device), tokenizer, *colours_of(folder), device)

    def look(self, images: Images) -> Floats:
        """uint8 (N, H, W, C), of any size -> of length 1, float32 (N, D)."""
        return in_batches(self._look, images, BATCH)

    def _look(self, images: Images) -> torch.Tensor:
        size = self.network.config.vision_config.image_size
        mean, deviation = (torch.tensor(one, device=self.device)[:, None, None] for one in (self.mean, self.deviation))
        pixels = (bicubic(rgb(images), size, self.device).round() / 255 - mean) / deviation
        seen = self.network.vision_model(pixel_values=pixels).pooler_output
        return F.normalize(self.network.visual_projection(seen), dim=1)

    @torch.no_grad()
    def read(self, captions: Sequence[str]) -> Floats:
        """Of length 1, float32 (N, D); captions with more tokens than it knows are cut."""
        length = self.network.config.text_config.max_position_embeddings
        parts = []
        for start in range(0, len(captions), BATCH):
            tokens = Tokens.of(read(self.tokenizer, captions[start : start + BATCH], length))
            asked = {"input_ids": tokens.numbers, "attention_mask": tokens.there.long()}
            heard = self.network.text_model(**{name: one.to(self.device) for name, one in asked.items()}).pooler_output
            parts.append(F.normalize(self.network.text_projection(heard), dim=1).cpu().numpy())
        return np.concatenate(parts)


def colours_of(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of the colours. Raises EncoderError where the file that may say them cannot be read."""
    file = folder / PICTURES
    if not file.is_file():
        return MEAN, DEVIATION
    try:
        said = json.loads(file.read_bytes())
        return said.get("image_mean", MEAN), said.get("image_std", DEVIATION)
    except (OSError, ValueError, AttributeError) as error:
        raise EncoderError(f"{file} cannot be read: {error}") from None
