import numpy as np
import pytest
import torch

from fm.codecs import Pixels
from fm.data.prepared import Prepared
from fm.metrics.captions.ranking import another, losses, ranked_right, times
from fm.noise import Draws, Purpose
from fm.text import Encoder
from tests.fm.conftest import tiny_generator
from tests.fm.metrics.captions.bars import ALL, CAPTION, Deaf, Knowing, generator

RIGHT = [CAPTION.format(*one) for one in ALL]
WRONG = RIGHT[1:] + RIGHT[:1]


@pytest.fixture
def data(encoder: Encoder) -> np.ndarray:
    return np.ascontiguousarray(((Knowing(encoder).pictures.movedim(1, -1) + 1) * 127.5).numpy().astype(np.uint8))


@pytest.mark.parametrize("path", ["cond_ot", "ddpm", "edm"])
def test_who_knows_captions_ranks_all_right(encoder: Encoder, data: np.ndarray, path: str) -> None:
    found = losses(generator(encoder, Knowing(encoder), path), data, [RIGHT, WRONG], seed=0)
    assert ranked_right(found).mean() == 1
    assert (found[:, 0] < 1e-3).all()


def test_who_hears_nothing_ranks_half_right(encoder: Encoder, data: np.ndarray) -> None:
    found = losses(generator(encoder, Deaf(encoder)), data, [RIGHT, WRONG], seed=0)
    assert set(ranked_right(found)[:, 0]) == {0.5}


@pytest.mark.parametrize("target", ["velocity", "noise", "data", "v"])
def test_it_is_the_error_of_what_the_network_is_trained_for(target: str) -> None:
    made = tiny_generator("cond_ot", target)
    data = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    found = losses(made, data, [["1", "2", "3"]], seed=5, points=2, first_index=7)
    x1, draws = Pixels((8, 8, 1)).encode(data), Draws(5, range(7, 10))
    expected = torch.zeros(3)
    for number, t in enumerate((0.25, 0.75)):
        point = made.path.sample(draws.normal((1, 8, 8), Purpose.RANKING, number), x1, torch.full((3,), t))
        with torch.no_grad():
            said = made.network(point.x_t, point.t, {"label": torch.tensor([1, 2, 3])})
        expected += (said - made.target.answer(made.path, point)).square().mean(dim=(1, 2, 3)) / 2
    assert found[:, 0] == pytest.approx(expected.numpy(), rel=1e-3)


def test_batches_and_candidates_change_no_noise() -> None:
    made = tiny_generator()
    data = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    asked = [["1"] * 5, ["2"] * 5]
    whole = losses(made, data, asked, seed=3)
    assert losses(made, data, asked, seed=3, batch_size=2) == pytest.approx(whole, rel=1e-5)
    assert losses(made, data[3:], [["2"] * 2], seed=3, first_index=3) == pytest.approx(whole[3:, 1:], rel=1e-5)


@pytest.mark.parametrize("path", ["ddpm", "edm", "cosine", {"name": "polynomial", "n": 3}])
def test_all_paths_are_asked_at_the_same_levels_of_noise(path: str) -> None:
    made = tiny_generator(path)
    middles = torch.tensor([0.125, 0.375, 0.625, 0.875], dtype=torch.float64)
    levels = made.path.ratio(times(made, 4))
    torch.testing.assert_close(levels, (1 - middles) / middles)


def test_the_other_text_is_another_one() -> None:
    texts = ["a", "a", "b", "a", "c", "b"]
    other = another(texts, seed=1)
    assert all(texts[one] != text for text, one in zip(texts, other, strict=True))
    assert (another(texts, seed=1) == other).all()
    with pytest.raises(ValueError, match="all texts are the same"):
        another(["a", "a"], seed=0)


def test_prepared_captions_are_ranked(encoder: Encoder, dataset: Prepared) -> None:
    rows = dataset.test[np.arange(4)]
    right = [text.split("\n")[0] for text in rows["text"]]
    found = losses(generator(encoder, Knowing(encoder)), rows["data"], [right, ["the blue upper bar"] * 4], seed=0)
    assert ranked_right(found).mean() == 1
