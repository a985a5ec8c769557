from typing import Any

import numpy as np
import pytest
import torch

from fm.batches import Budget, Examples
from fm.codecs import Pixels
from fm.conditions import Labels
from fm.data.rows import Arrays
from fm.networks import TransformerOptions, UNetOptions
from fm.objectives import Regression
from pipelines.forecast import narrow, of_pairs, seconds_of_a_step, sentences
from pipelines.params import Pairs
from tests.fm.conftest import tiny_generator


def budget(images_seen: int, batch_size: int = 64) -> Budget:
    return Budget(
        images_seen=images_seen,
        batch_size=batch_size,
        learning_rate=1e-3,
        warmup_steps=0,
        ema_decay=0.9,
        label_dropout=0.1,
        gradient_clip=1.0,
        seed=0,
    )


def test_the_budget_in_steps_epochs_and_time() -> None:
    (line,) = sentences(budget(30_000), 1437, 0.5)
    assert line == "29,952 images seen in 468 steps of 64: 20.8 epochs of 1,437 training images, about 4 min"
    (line,) = sentences(budget(30_000), 1437, None)
    assert line.endswith("training images")


def test_many_epochs_and_few_steps_are_warned_of() -> None:
    _, warning = sentences(budget(150_016), 422, 0.1)
    assert warning.startswith("warning: every training image is seen 355 times")
    _, warning = sentences(budget(64 * 64), 1437, 0.1)
    assert warning.startswith("warning: 64 steps are few")


def test_what_is_trained_on_pairs_counts_pairs() -> None:
    line, warning = sentences(budget(150_016), 1000, None, on_pairs=True)
    assert line.endswith(": 150 epochs of 1,000 pairs")
    assert warning == "warning: every pair is seen 150 times: more pairs.count or fewer train.images_seen"


@pytest.mark.parametrize(
    ("options", "predicts_data"),
    [
        ({"width": 128}, False),
        ({"patch_size": 2}, False),
        ({"patch_size": (2, 4, 4)}, False),
        ({"skip": True}, False),
        ({}, True),
    ],
)
def test_noise_that_passes_the_network_is_not_warned_of(options: dict[str, Any], predicts_data: bool) -> None:
    shape, narrow_one = (1, 32, 32, 32), {"width": 64, "patch_size": 4}
    for of_kind in (UNetOptions, TransformerOptions):
        assert narrow(of_kind(**narrow_one | options), shape, predicts_data) == []
        (warning,) = narrow(of_kind(**narrow_one), shape, predicts_data=False)
        assert warning.startswith("warning: a patch has 64 numbers and the network 64 channels")


def test_what_pairs_come_to() -> None:
    said = of_pairs(Pairs(solver="midpoint", steps=5, count=10_000), (3, 32, 32))
    assert said == "10,000 pairs of 123 MB in all, by 100,000 evaluations of the network"
    said = of_pairs(Pairs(solver="euler", steps=5, count=10_000_000, guidance=2), (3, 32, 32))
    assert said == "10,000,000 pairs of 122.88 GB in all, by 100,000,000 evaluations of the network"
    said = of_pairs(Pairs(solver="dopri5", steps=1, count=10), (1, 8, 8))
    assert said.endswith("a solver that chooses its own steps")


def test_a_step_is_timed_and_the_training_left_as_it_was() -> None:
    generator = tiny_generator()
    before = {name: value.clone() for name, value in generator.network.state_dict().items()}
    state = torch.get_rng_state()
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    objective = Regression.named("cond_ot", "independent", "uniform", "velocity", "flat")
    rows = Arrays({"data": images, "label": np.zeros(40, dtype=np.int64)})
    examples = Examples(rows, Pixels((8, 8, 1)), Labels(tuple("0123456789")))
    few, many = (
        seconds_of_a_step(generator, objective, budget(6400, size), examples, torch.device("cpu")) for size in (2, 800)
    )
    assert 0 < few < many
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in generator.network.state_dict().items())
    assert all(weight.grad is None for weight in generator.network.parameters())
