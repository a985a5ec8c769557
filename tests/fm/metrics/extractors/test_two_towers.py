from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fm.metrics.extractors import ExtractorError, TwoTowers, load, prepare
from fm.metrics.extractors.two_towers_network import Towers, contrast
from fm.text import EncoderError, MiniLM
from tests.fm.text.tiny import tiny_encoder

if TYPE_CHECKING:
    from conftest import Ask


def test_needs_captions(ask: "Ask") -> None:
    with pytest.raises(ExtractorError, match=r"needs networks that are told captions, .* pictures are told"):
        prepare(ask("two_towers"))


@pytest.fixture
def towers() -> Towers:
    torch.manual_seed(0)
    return Towers(channels=3, height=8, width=8, words=5)


WORDS = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)


def test_what_belongs_together_is_to_be_nearest(towers: Towers) -> None:
    looked = torch.randn(3, 64)
    loss = contrast(towers, WORDS, np.array([2, 0, 1]), np.array([1, 2, 3]), seed=0)(looked, np.arange(3))
    heard = F.normalize(towers.read(torch.from_numpy(WORDS[[2, 0, 1]])), dim=1)
    similar = F.normalize(looked, dim=1) @ heard.T / 0.07
    own = torch.arange(3)
    torch.testing.assert_close(loss, (F.cross_entropy(similar, own) + F.cross_entropy(similar.T, own)) / 2)


def test_pictures_without_captions_have_no_part_in_it(towers: Towers) -> None:
    looked = torch.randn(3, 64)
    all_three = contrast(towers, WORDS, np.array([2, 1]), np.array([1, 1, 2]), seed=0)(looked, np.arange(3))
    two = contrast(towers, WORDS, np.array([2, 1]), np.array([1, 2]), seed=0)(looked[[0, 2]], np.arange(2))
    torch.testing.assert_close(all_three, two)
    nobody = contrast(towers, WORDS, np.array([], np.int64), np.array([0, 0, 0]), seed=0)(looked, np.arange(3))
    assert nobody.item() == 0


def test_a_caption_of_two_pictures_is_wrong_for_neither(towers: Towers) -> None:
    looked = torch.randn(3, 64)
    loss = contrast(towers, WORDS, np.array([2, 2, 1]), np.array([1, 2, 3]), seed=0)(looked, np.arange(3))
    alone = [
        contrast(towers, WORDS, np.array([2, 1]), np.array([1, 2]), seed=0)(looked[[each, 2]], np.arange(2))
        for each in (0, 1)
    ]
    assert loss.item() < sum(each.item() for each in alone)


def test_each_of_several_captions_is_seen(towers: Towers) -> None:
    loss = contrast(towers, WORDS, np.array([0, 1, 2, 3]), np.array([3, 4]), seed=0)
    looked = torch.randn(2, 64)
    assert len({round(loss(looked, np.arange(2)).item(), 4) for _ in range(40)}) == 3


def test_is_the_same_once_saved_and_loaded_and_knows_its_encoder(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    encoder, sizes = MiniLM(length=8, place=str(folder)), {"channels": 3, "height": 12, "width": 8, "words": 16}
    torch.manual_seed(0)
    made = TwoTowers(Towers(**sizes), sizes, encoder, encoder.sums, torch.device("cpu"))
    (tmp_path / "towers").mkdir()
    made.save(tmp_path / "towers")
    loaded = load(tmp_path / "towers", torch.device("cpu"))
    assert isinstance(loaded, TwoTowers)
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 8, 3), dtype=np.uint8)
    assert np.array_equal(loaded.features(images), made.features(images))
    captions = ["the red bar", "the blue star"]
    assert np.array_equal(loaded.read(captions), made.read(captions))
    tiny_encoder(tmp_path / "other", seed=1)
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(EncoderError, match="another than the one"):
        load(tmp_path / "towers", torch.device("cpu")).read(captions)  # type: ignore[attr-defined]
