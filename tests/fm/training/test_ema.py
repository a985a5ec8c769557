import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fm.training.ema import Average, decay_after


def test_the_decay_warms_up() -> None:
    assert decay_after(1, 0.999) == 2 / 11
    assert decay_after(10**6, 0.999) == 0.999


def test_an_old_average_is_pytorchs_own() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    ours, theirs = Average(network, 0.05), AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.05))
    for _ in range(4):
        network(torch.randn(5, 3)).sum().backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight += torch.randn_like(weight)
        ours.update(network)
        theirs.update_parameters(network)
    expected = theirs.module.state_dict()
    assert expected["1.num_batches_tracked"] == 4
    for name, value in ours.network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-6)


def test_an_average_keeps_its_own_precision_and_gives_in_the_networks() -> None:
    network = nn.Linear(2, 2)
    average = Average(network, 0.999)
    network.bfloat16()
    average.update(network)
    average.update(network)
    average.give_to(network)
    assert average.network.weight.dtype == torch.float32
    assert network.weight.dtype == torch.bfloat16
    torch.testing.assert_close(network.weight.float(), average.network.weight)
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert all(weight.requires_grad for weight in network.parameters())
