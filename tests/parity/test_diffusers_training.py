"""Held against diffusers 0.42.1: what its training scripts are made of.

Their index k is our t = 1 - (k + 1) / 1000, see tests.parity.schedulers; their density of timesteps is one of our t.
"""

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling, compute_snr

from fm.paths import DDPM, CondOT, Quantity
from fm.targets import V
from fm.timesteps import LogitNormal
from fm.weights import MinSNR
from tests.parity.agreement import Fault, noise_and_data, notices, same
from tests.parity.schedulers import LINEAR, in_float64, time_at

INDICES = torch.tensor([0, 9, 130, 499, 731, 999])


@notices("alpha", "sigma")
def test_noisy_data(fault: Fault) -> None:
    x0, x1 = noise_and_data()
    theirs = in_float64(DDPMScheduler(**LINEAR)).add_noise(x1, x0, INDICES)
    same(fault.path(DDPM()).sample(x0, x1, time_at(INDICES)).x_t, theirs)


@notices("alpha", "sigma")
def test_target_v(fault: Fault) -> None:
    """What they call velocity; ours is another thing, dx/dt."""
    x0, x1 = noise_and_data()
    path = fault.path(DDPM())
    theirs = in_float64(DDPMScheduler(**LINEAR)).get_velocity(x1, x0, INDICES)
    same(V().answer(path, path.sample(x0, x1, time_at(INDICES))), theirs)


@notices("alpha", "sigma")
def test_signal_to_noise_ratio(fault: Fault) -> None:
    k = torch.arange(1000)
    # They return float32.
    theirs = compute_snr(in_float64(DDPMScheduler(**LINEAR)), k)
    same(fault.path(DDPM()).ratio(time_at(k)).pow(-2).log(), theirs.log(), 1e-6)


@notices("alpha", "sigma", "gamma")
@pytest.mark.parametrize("target", ["noise", "v", "data"])
def test_min_snr(target: Quantity, fault: Fault) -> None:
    """As train_text_to_image has it: divided by the SNR for epsilon, by the SNR plus 1 for v."""
    k = torch.arange(1000)
    snr = compute_snr(in_float64(DDPMScheduler(**LINEAR)), k)
    theirs = snr.clamp(max=5.0) / {"noise": snr, "v": snr + 1, "data": 1}[target]
    ours = MinSNR(5.0 * fault.factor("gamma"))(time_at(k), fault.path(DDPM()), target)
    same(ours, theirs, 1e-6)


@notices("mean", "deviation")
def test_logit_normal_times(fault: Fault) -> None:
    theirs = compute_density_for_timestep_sampling(
        "logit_normal", 1000, logit_mean=0.4, logit_std=1.3, generator=torch.Generator().manual_seed(0)
    )
    # The uniform numbers that their normal ones are the quantiles of.
    u = torch.special.ndtr(torch.randn(1000, generator=torch.Generator().manual_seed(0)).double())
    ours = LogitNormal(0.4 * fault.factor("mean"), 1.3 * fault.factor("deviation"))(u, CondOT())
    # In float32, and ours takes u, a multiple of 2^-24 in training, from the middle of its cell.
    same(ours, theirs, 1e-5)
