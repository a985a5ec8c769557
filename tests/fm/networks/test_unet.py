import pytest
import torch

from fm.networks import build


@pytest.mark.parametrize(("channels", "size", "patch"), [(1, 28, 2), (3, 32, 2), (1, 8, 1), (3, 20, 4), (4, 128, 4)])
def test_output_is_like_the_input_and_starts_at_zero(channels: int, size: int, patch: int) -> None:
    network = build("unet", channels, size, 10, width=8, multipliers=[1, 2], blocks=1, patch_size=patch)
    x = torch.randn(2, channels, size, size)
    out = network(x, torch.tensor([0.0, 1.0]), {"label": torch.tensor([0, 10])})
    assert torch.equal(out, torch.zeros_like(x))


def test_time_and_label_matter() -> None:
    torch.manual_seed(0)
    network = build("unet", 1, 8, 10, width=8, multipliers=[1], blocks=1, patch_size=1)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    x = torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1)
    out = network(x, torch.tensor([0.1, 0.9, 0.1, 0.1]), {"label": torch.tensor([0, 0, 10, 0])})
    assert torch.allclose(out[0], out[3])
    assert not torch.allclose(out[0], out[1], atol=1e-3)
    assert not torch.allclose(out[0], out[2], atol=1e-3)


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="not a multiple"):
        build("unet", 1, 9, 10, width=8, multipliers=[1], blocks=1, patch_size=2)
    with pytest.raises(ValueError, match="no network 'dit'"):
        build("dit", 1, 8, 10)
