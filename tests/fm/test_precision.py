import numpy as np
import pytest
import torch

from fm.config import SamplerConfig
from fm.generator import Generator
from fm.precision import Precision, evaluating


def test_bf16_makes_nearly_the_same_images_and_float32_the_same(generator: Generator) -> None:
    full, half = (generator.evaluated(precision).sample(8, 0) for precision in ("float32", "bf16"))
    assert np.array_equal(full, generator.sample(8, 0))
    apart = np.abs(full.astype(int) - half.astype(int))
    assert 0 < apart.max() < 8
    assert apart.mean() < 1


def test_integration_stays_in_float32(generator: Generator) -> None:
    x, _ = generator.evaluated("bf16").with_sampler(SamplerConfig(solver="heun", steps=2)).sample_float(2, 0)
    assert x.dtype == torch.float32
    assert not torch.equal(x, x.bfloat16().float())


@pytest.mark.parametrize(("precision", "expected"), [("float32", ("highest", False)), ("tf32", ("high", True))])
def test_a_gpus_products_are_what_is_said_and_as_before_afterwards(
    precision: Precision, expected: tuple[str, bool]
) -> None:
    def products() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = products()
    with evaluating(precision, torch.device("cuda")):
        assert products() == expected
    assert products() == before
