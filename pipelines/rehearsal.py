"""What cannot be said of a setting before there is a network: whether its samplers run."""

from collections.abc import Sequence

from fm.errors import UserError
from fm.generator import Generator
from pipelines.params import Sampler


def rehearse(method: str, generator: Generator, samplers: Sequence[Sampler]) -> None:
    """Draw one image with every sampler of a method, before hours are spent.

    Raises:
        UserError: a sampler that cannot run on this method's path, with the reason.
    """
    for sampler in samplers:
        for each in sampler.each():
            try:
                generator.with_sampler(each).sample_float(1, seed=0)
            except ValueError as error:
                raise UserError(
                    f"params.yaml: methods.{method}.samplers: {each.label} with {each.steps} steps: {error}"
                ) from None
