import torch

from fm.ema import ema_with_warmup


def test_ema_warms_up_to_its_decay() -> None:
    averaged, current = [torch.zeros(2)], [torch.ones(2)]
    ema_with_warmup(0.999)(averaged, current, torch.tensor(0))
    torch.testing.assert_close(averaged[0], torch.full((2,), 0.9))  # decay 1/10
    averaged = [torch.zeros(2)]
    ema_with_warmup(0.999)(averaged, current, torch.tensor(1_000_000))
    torch.testing.assert_close(averaged[0], torch.full((2,), 0.001))
