import torch
from torch import Tensor

from fm.guidance import Guidance, guided

LABELS = torch.tensor([0, 1, 2])


def predict(labels: Tensor) -> Tensor:
    return (labels.float() + 1)[:, None] * torch.ones(3, 2)


def result(t: list[float], guidance: Guidance) -> tuple[list[float], int]:
    calls = []

    def counted(labels: Tensor) -> Tensor:
        calls.append(labels)
        return predict(labels)

    out = guided(counted, torch.tensor(t), LABELS, no_label=9, guidance=guidance)
    return out[:, 0].tolist(), len(calls)


def test_none_is_one_call_and_the_conditional() -> None:
    assert result([0.5, 0.5, 0.5], Guidance()) == ([1, 2, 3], 1)


def test_extrapolates_from_unconditional_through_conditional() -> None:
    assert result([0.5, 0.5, 0.5], Guidance(3.0)) == ([10 + 3 * (c - 10) for c in (1, 2, 3)], 2)


def test_acts_within_its_interval_only() -> None:
    late = Guidance(3.0, (0.6, 1.0))
    assert result([0.5, 0.5, 0.5], late) == ([1, 2, 3], 1)
    assert result([0.6, 0.5, 1.0], late) == ([10 + 3 * (1 - 10), 2, 10 + 3 * (3 - 10)], 2)
