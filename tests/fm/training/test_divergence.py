"""Step by step, as Lightning would call it; whole trainings are in test_whole_trainings.py."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy

from fm.training.divergence import Diverged, Divergence
from tests.fm.test_batches import budget


class EveryFourth:
    def due(self, trainer: Any) -> bool:
        return bool(trainer.global_step % 4 == 0)


def steps(losses: list[float], norms: list[float], asks_rarely: bool, scaler: object = None) -> int:
    """How many steps a training with these numbers makes."""
    divergence = Divergence([EveryFourth()], lambda: "no checkpoint was saved")
    module = SimpleNamespace(device=torch.device("cpu"), budget=budget(), parameters=lambda: [torch.zeros(1)])
    trainer: Any = SimpleNamespace(
        max_steps=len(losses), strategy=SingleDeviceStrategy("cpu"), precision_plugin=SimpleNamespace(scaler=scaler)
    )
    divergence.on_train_start(trainer, module)
    divergence.asks_rarely = asks_rarely
    for trainer.global_step, (loss, norm) in enumerate(zip(losses, norms, strict=True), start=1):
        module.gradient_norm = torch.tensor(norm)
        divergence.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, None, 0)  # type: ignore[arg-type]
    return int(trainer.global_step)


FINE = [1.0] * 10
BAD = [1.0, 1.0, 1.0, 1.0, 1.0, torch.nan, 1.0, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("asks_rarely", [False, True])
@pytest.mark.parametrize(("losses", "norms"), [(BAD, FINE), (FINE, BAD), (FINE, [*FINE[:5], torch.inf, *FINE[:4]])])
def test_the_step_is_named_at_which_it_happened(losses: list[float], norms: list[float], asks_rarely: bool) -> None:
    with pytest.raises(Diverged, match="at step 6 of 25"):
        steps(losses, norms, asks_rarely)


@pytest.mark.parametrize("asks_rarely", [False, True])
def test_the_last_step_counts_too(asks_rarely: bool) -> None:
    with pytest.raises(Diverged, match="at step 5 of 25"):
        steps(FINE[:5], [*FINE[:4], torch.nan], asks_rarely)


def test_what_is_finite_goes_on_and_so_do_scaled_gradients_that_overflow() -> None:
    assert steps(FINE, FINE, asks_rarely=False) == 10
    assert steps(FINE, BAD, asks_rarely=False, scaler=object()) == 10
    with pytest.raises(Diverged):
        steps(BAD, FINE, asks_rarely=False, scaler=object())
