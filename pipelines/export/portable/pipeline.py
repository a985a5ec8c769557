"""A generator as a pipeline of diffusers. The folder of this file is the whole of it:

pipe = diffusers.DiffusionPipeline.from_pretrained(folder, custom_pipeline=folder, trust_remote_code=True)
pipe(labels=["Bag", "Coat"], generator=torch.Generator().manual_seed(0)).images

A network that knows texts is asked by what their encoder makes of them; the encoder is not in the folder:

pipe(prompt_embeds=embeds, prompt_attention_mask=mask, negative_prompt_embeds=others).images
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput

from .walk import walk


class GeneratorPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Images of labels or texts, from noise.

    Args:
        network: network(x, t, labels, text, text_mask, until) -> like x.
        samplers: the tables of `walk`, by their number of steps; the first is the default.
        labels: the labels' `names`, none where the network knows no label.
        texts: what the network knows of texts, None for nothing: their `encoder` and its files, and the `empty` text as
            the encoder has it, float16 (tokens, width) in base64.
        vae: decodes what the network makes, where that is latents; and `standardised`, what latents of the network have
            to be turned into before: `mean` and `deviation` of each channel, `scaling_factor` and `shift` of all.
    """

    _optional_components: ClassVar[list[str]] = ["vae"]

    # What has no default, diffusers takes for a component with a folder of its own.
    def __init__(
        self,
        network: Any,
        samplers: dict[str, Any] | None = None,
        labels: dict[str, Any] | None = None,
        texts: dict[str, Any] | None = None,
        vae: Any = None,
        standardised: dict[str, Any] | None = None,
    ):
        super().__init__()
        network.in_channels_last()
        self.register_modules(network=network, vae=vae)
        self.register_to_config(samplers=samplers, labels=labels, texts=texts, standardised=standardised)

    @torch.no_grad()
    def __call__(
        self,
        labels: str | Sequence[str | None] | None = None,
        num_images: int | None = None,
        num_inference_steps: int | None = None,
        prompt_embeds: torch.Tensor | None = None,
        prompt_attention_mask: torch.Tensor | None = None,
        negative_prompt_embeds: torch.Tensor | None = None,
        negative_prompt_attention_mask: torch.Tensor | None = None,
        latents: torch.Tensor | Iterable[torch.Tensor] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """Images, one for each label or text.

        Args:
            labels: a name for each image, None for no label, or one name; all there are in turn if left out.
            num_images: how many, where no label says so; 1 if left out.
            num_inference_steps: one of the numbers that were exported.
            prompt_embeds: the last hidden states of the encoder of texts, (B, tokens, width), for one image each; no
                text if left out.
            prompt_attention_mask: (B, tokens), where there is a token; everywhere if left out.
            negative_prompt_embeds, negative_prompt_attention_mask: of what guidance leads away from, for each image or
                one for all; no text if left out.
            latents: standard normal noise (B, C, *spatial) to start from; a stochastic sampler's in the order in which
                it draws. What is left out is drawn by `generator`, or by one of several for each image.
            output_type: pil, np for uint8 (B, *spatial, C), pt for float (B, C, *spatial) in -1 to 1, or latent for
                what the network makes, before it is decoded.

        Raises:
            ValueError: no such label, number of steps or type of output, or other counts or shapes than the images'.
        """
        if prompt_embeds is not None:
            num_images = len(prompt_embeds) if num_images is None else num_images
        indices = self._indices(labels, num_images)
        told = self._labels(indices) | self._texts("prompt", prompt_embeds, prompt_attention_mask, len(indices))
        null = self._labels([len(self.config.labels["names"])] * len(indices)) | self._texts(
            "negative_prompt", negative_prompt_embeds, negative_prompt_attention_mask, len(indices)
        )
        table = self._table(num_inference_steps)
        if negative_prompt_embeds is not None and not any(row.get("null") for row in table["rows"]):
            raise ValueError("negative_prompt_embeds: what was exported is not guided, and leads away from nothing")
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

        x = walk(table, draw, self._network(told, null))
        images = x.float() if output_type == "latent" else output(self._decoded(x.float()), output_type)
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

    def _labels(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        if self.network.config.labels is None:
            return {}
        return {"labels": torch.tensor(indices, device=self.device)}

    def _texts(
        self, name: str, embeds: torch.Tensor | None, mask: torch.Tensor | None, count: int
    ) -> dict[str, torch.Tensor]:
        """The tokens of each image's text and which of them are there, as long as the network has them."""
        sizes = self.network.config.texts
        if sizes is None:
            if embeds is not None:
                raise ValueError(f"{name}_embeds: this network knows no text")
            return {}
        if embeds is None:
            empty = base64.b64decode(self.config.texts["empty"])
            embeds = torch.from_numpy(np.frombuffer(empty, "<f2").reshape(1, -1, sizes["width"]).astype(np.float32))
            mask = None
        embeds = embeds.to(self.device, self.network.dtype)
        mask = embeds.new_ones(embeds.shape[:2]) if mask is None else mask
        found = tuple(embeds.shape)
        if embeds.ndim != 3 or found[0] not in (1, count) or found[1] > sizes["length"] or found[2] != sizes["width"]:
            most = f"({count}, at most {sizes['length']}, {sizes['width']})"
            raise ValueError(f"{name}_embeds: {found}: must be {most}: images, tokens, numbers of each")
        if mask.shape != embeds.shape[:2]:
            raise ValueError(f"{name}_attention_mask: {tuple(mask.shape)}: must be {tuple(embeds.shape[:2])}")
        there = mask.to(self.device, torch.bool)
        missing = sizes["length"] - embeds.shape[1]
        text = torch.nn.functional.pad(embeds.masked_fill(~there[:, :, None], 0.0), (0, 0, 0, missing))
        there = torch.nn.functional.pad(there, (0, missing))
        return {"text": text.expand(count, -1, -1), "text_mask": there.expand(count, -1)}

    def _decoded(self, x: torch.Tensor) -> torch.Tensor:
        if self.vae is None:
            return x
        said = self.config.standardised
        mean, deviation = (x.new_tensor(said[name]).reshape(-1, 1, 1) for name in ("mean", "deviation"))
        latents = (x * deviation + mean) / said["scaling_factor"] + said["shift"]
        decoded: torch.Tensor = self.vae.decode(latents.to(self.vae.dtype)).sample
        return decoded.float()

    def _network(self, told: dict[str, torch.Tensor], null: dict[str, torch.Tensor]) -> Any:
        def network(x: torch.Tensor, t: float, until: float | None, without: bool) -> torch.Tensor:
            times = [None if one is None else x.new_full((len(x),), one) for one in (t, until)]
            said: torch.Tensor = self.network(x, times[0], until=times[1], **(null if without else told))
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
        raise ValueError(f"output_type = {kind!r}: must be pil, np, pt or latent")
    from PIL import Image

    return [Image.fromarray(array.squeeze(2) if array.shape[2] == 1 else array) for array in arrays]
