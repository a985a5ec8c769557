import torch

from fm.guidance import Guidance, guided

WEAK, STRONG = torch.full((3, 2), 10.0), torch.tensor([1.0, 2.0, 3.0])[:, None] * torch.ones(3, 2)


def result(t: list[float], guidance: Guidance) -> list[float]:
    return guided(WEAK, STRONG, guidance.scales(torch.tensor(t)))[:, 0].tolist()


def test_extrapolates_from_the_weak_through_the_strong() -> None:
    assert result([0.5, 0.5, 0.5], Guidance(3.0)) == [10 + 3 * (c - 10) for c in (1, 2, 3)]


def test_acts_within_its_interval_only() -> None:
    late = Guidance(3.0, (0.6, 1.0))
    assert not late.acts_at(torch.tensor([0.5, 0.5, 0.5]))
    assert late.acts_at(torch.tensor([0.6, 0.5, 1.0]))
    assert result([0.6, 0.5, 1.0], late) == [10 + 3 * (1 - 10), 2, 10 + 3 * (3 - 10)]


def test_a_scale_of_one_is_none() -> None:
    assert not Guidance().acts_at(torch.tensor([0.5]))
