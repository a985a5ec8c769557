"""A generator as a pipeline of diffusers. The folder of this file is the whole of it:

pipe = diffusers.DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)
pipe(labels=["Bag", "Coat"], generator=torch.Generator().manual_seed(0)).images
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput

from .walk import walk


class GeneratorPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Images of labels, from noise.

    Args:
        network: network(x, t, labels, until) -> like x.
        samplers: the tables of `walk`, by their number of steps; the first is the default.
        labels: the labels' `names`, none where the network knows no label.
    """

    # What has no default, diffusers takes for a component with a folder of its own.
    def __init__(self, network: Any, samplers: dict[str, Any] | None = None, labels: dict[str, Any] | None = None):
        super().__init__()
        network.in_channels_last()
        self.register_modules(network=network)
        self.register_to_config(samplers=samplers, labels=labels)

    @torch.no_grad()
    def __call__(
        self,
        labels: str | Sequence[str | None] | None = None,
        num_images: int | None = None,
        num_inference_steps: int | None = None,
        latents: torch.Tensor | Iterable[torch.Tensor] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Images, one for each label.

        Args:
            labels: a name for each image, None for no label, or one name; all there are in turn if left out.
            num_images: how many, where no label says so; 1 if left out.
            num_inference_steps: one of the numbers that were exported.
            latents: standard normal noise (B, C, *spatial) to start from; a stochastic sampler's in the order in which
                it draws. What is left out is drawn by `generator`, or by one of several for each image.
            output_type: pil, np for uint8 (B, *spatial, C), or pt for float (B, C, *spatial) in -1 to 1.

        Raises:
            ValueError: no such label, number of steps or type of output, or other counts or shapes than the images'.
        """
        indices = self._indices(labels, num_images)
        shape = (len(indices), *self.network.config.shape)
        given = iter([latents] if isinstance(latents, torch.Tensor) else latents or ())
        if isinstance(generator, Sequence) and len(generator) != len(indices):
            raise ValueError(f"generator: {len(generator)} for {len(indices)} images: must be one, or one for each")

        def draw() -> torch.Tensor:
            noise = next(given, None)
            if noise is None:
                noise = drawn(shape, generator)
            if noise.shape != shape:
                raise ValueError(f"latents: {tuple(noise.shape)}: must be {shape}, as the images are")
            return noise.to(self.device)

        x = walk(self._table(num_inference_steps), draw, self._network(indices))
        images = output(x.float(), output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _indices(self, labels: str | Sequence[str | None] | None, num_images: int | None) -> list[int]:
        """The label of each image by its index; the one after the last is no label."""
        names = self.config.labels["names"]
        labels = [labels] if isinstance(labels, str) else labels
        count = num_images if num_images is not None else 1 if labels is None else len(labels)
        if count < 1:
            raise ValueError(f"{'labels' if num_images is None else 'num_images'}: {count}: must be at least 1")
        if labels is None:
            return [place % len(names) if names else 0 for place in range(count)]
        if len(labels) != count:
            raise ValueError(f"labels: {len(labels)} for num_images = {count}: must be one for each")
        if unknown := [label for label in labels if label is not None and label not in names]:
            raise ValueError(f"no label {unknown[0]!r}: there are {', '.join(names) or 'none'}")
        return [len(names) if label is None else names.index(label) for label in labels]

    def _table(self, steps: int | None) -> dict[str, Any]:
        samplers = self.config.samplers
        name = next(iter(samplers)) if steps is None else str(steps)
        if name not in samplers:
            raise ValueError(f"num_inference_steps = {steps}: what was exported takes {' or '.join(samplers)}")
        table: dict[str, Any] = samplers[name]
        return table

    def _network(self, indices: Sequence[int]) -> Any:
        names = self.config.labels["names"]
        told = None if self.network.config.labels is None else torch.tensor(indices, device=self.device)

        def network(x: torch.Tensor, t: float, until: float | None, null: bool) -> torch.Tensor:
            labels = torch.full_like(told, len(names)) if null and told is not None else told
            times = [None if one is None else x.new_full((len(x),), one) for one in (t, until)]
            said: torch.Tensor = self.network(x, times[0], labels, times[1])
            return said

        return network


def drawn(shape: tuple[int, ...], generator: torch.Generator | Sequence[torch.Generator] | None) -> torch.Tensor:
    """Standard normal noise of this shape, of several generators one image each."""
    if isinstance(generator, Sequence):
        return torch.cat([drawn((1, *shape[1:]), one).cpu() for one in generator])
    return torch.randn(shape, generator=generator, device="cpu" if generator is None else generator.device)


def output(x: torch.Tensor, kind: str) -> Any:
    """Data (B, C, *spatial) in -1 to 1 as they are asked for."""
    if kind == "pt":
        return x
    pixels = ((x + 1) * 127.5).round().clip(0, 255).to(torch.uint8)
    arrays = np.ascontiguousarray(pixels.movedim(1, -1).cpu().numpy())
    if kind == "np":
        return arrays
    if kind != "pil":
        raise ValueError(f"output_type = {kind!r}: must be pil, np or pt")
    from PIL import Image

    return [Image.fromarray(array.squeeze(2) if array.shape[2] == 1 else array) for array in arrays]
