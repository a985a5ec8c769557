"""A trained network with its path and sampler: a folder of config.json and model.safetensors."""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fm import images, noise
from fm.components import Choice
from fm.conditions import Label
from fm.config import Config, ImageFormat, SamplerConfig
from fm.errors import UserError
from fm.field import Field
from fm.finite import not_finite
from fm.guidance import Guidance
from fm.label_names import label_index
from fm.likelihood import bits_per_dimension, log_likelihood
from fm.networks import Network
from fm.networks.layers import in_channels_last
from fm.noise import Purpose
from fm.paths import SIGMA_DATA
from fm.paths import Path as ProbabilityPath
from fm.sampling import draw
from fm.targets import Target

__all__ = ["Config", "Generator", "GeneratorError", "ImageFormat", "SamplerConfig"]


class GeneratorError(UserError):
    """A generator folder that cannot be used; the message says which and why."""


class NotFinite(UserError, ValueError):
    """Images whose pixels are no numbers: a sampler that does not stay finite on this network."""


class Generator:
    """Makes images from noise.

    Labels are int (0 to number of label names - 1); the number of label names itself means "no label".
    """

    def __init__(self, config: Config, network: nn.Module) -> None:
        self.config = config
        self.network = network
        self.path = ProbabilityPath.of(config.path)
        self.target = Target.of(config.target).at_scale(SIGMA_DATA)

    @classmethod
    def untrained(cls, config: Config) -> Self:
        """With a network of fresh random weights, drawn from torch's global generator."""
        return cls(config, in_channels_last(network_of(config)))

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Raises GeneratorError for a folder that is missing, damaged or of a newer version."""
        folder = Path(folder)
        try:
            config = Config.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
            generator = cls.untrained(config)
            weights = load_file(folder / "model.safetensors")
            generator.network.load_state_dict(weights)
        except FileNotFoundError as error:
            raise GeneratorError(f"{folder} is no generator: {error.filename or error} is missing") from None
        except ValidationError as error:
            raise GeneratorError(
                f"{folder / 'config.json'} is damaged or of a newer version: {in_a_line(error)}"
            ) from None
        except (ValueError, TypeError) as error:
            raise GeneratorError(f"{folder / 'config.json'} asks for what cannot be made: {error}") from None
        except (SafetensorError, RuntimeError) as error:
            raise GeneratorError(f"{folder / 'model.safetensors'} is damaged: {error}") from None
        except OSError as error:
            raise GeneratorError(f"{folder} cannot be read: {error}") from None
        if name := next(not_finite(weights), None):
            raise GeneratorError(f"{folder / 'model.safetensors'} cannot be used: the weight {name} is not finite")
        generator.network.eval()
        return generator

    def save(self, folder: Path | str) -> None:
        """Write config.json and model.safetensors; equal generators give equal bytes.

        Raises:
            GeneratorError: a weight is not finite; nothing is written.
        """
        folder = Path(folder)
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        if name := next(not_finite(weights), None):
            raise GeneratorError(f"{folder} is not written: the weight {name} is not finite")
        folder.mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / "model.safetensors")
        (folder / "config.json").write_text(self.config.model_dump_json(indent=2) + "\n", encoding="utf-8")

    def to(self, device: torch.device | str) -> Self:
        self.network.to(device)
        return self

    def with_sampler(self, sampler: SamplerConfig) -> Self:
        """The same network with another sampler."""
        other = copy.copy(self)
        other.config = self.config.model_copy(update={"sampler": sampler})
        return other

    def adjusted(self, steps: int | None = None, solver: Choice | None = None, guidance: float | None = None) -> Self:
        """The same with those parts of its sampler changed that are given. Raises ValueError for what cannot be."""
        given = {"steps": steps, "solver": solver, "guidance": guidance}
        changed = {name: value for name, value in given.items() if value is not None}
        try:
            return self.with_sampler(SamplerConfig.model_validate({**self.config.sampler.model_dump(), **changed}))
        except ValidationError as error:
            raise ValueError(in_a_line(error)) from None

    @property
    def no_label(self) -> int:
        return len(self.config.label_names)

    def label_number(self, label: str) -> int:
        """The index of a label by its name or number (fm.label_names). Raises ValueError with those there are."""
        return label_index(label, self.config.label_names)

    def label_name(self, number: int) -> str:
        """What the label of that index is called."""
        return self.config.label_names[number]

    def sample(
        self,
        num_images: int,
        seed: int,
        labels: Sequence[int] | None = None,
        steps: int | None = None,
        solver: Choice | None = None,
        guidance: float | None = None,
        first_index: int = 0,
        batch_size: int = 200,
    ) -> images.Images:
        """uint8 (num_images, H, W, C). Image i is made from the noise of sample first_index + i of `seed`.

        Args:
            labels: one for each image; by default every label in turn, by index.
            steps, solver, guidance: the generator's own by default. Guidance of scale 1 means none.

        Raises:
            ValueError: a count, label, solver or scale that cannot be.
            NotFinite: a ValueError; the sampler leaves what numbers can hold.
        """
        chosen = self.adjusted(steps, solver, guidance)
        x, _ = chosen.sample_float(num_images, seed, labels, first_index, batch_size)
        return images.to_uint8(x)

    @torch.no_grad()
    def sample_float(
        self,
        num_images: int,
        seed: int,
        labels: Sequence[int] | None = None,
        first_index: int = 0,
        batch_size: int = 200,
    ) -> tuple[Tensor, int]:
        """By the generator's own sampler and before rounding: float (num_images, C, H, W), and the network calls that
        each image took."""
        wanted = self._labels(num_images, labels, first_index)
        chunks = []
        nfe = 0
        for start in range(0, num_images, batch_size):
            x, nfe = self._sample_chunk(seed, first_index + start, wanted[start : start + batch_size])
            chunks.append(x.cpu())
        return torch.cat(chunks), nfe

    def _sample_chunk(self, seed: int, first_index: int, labels: Tensor) -> tuple[Tensor, int]:
        streams = noise.streams(seed, range(first_index, first_index + len(labels)), Purpose.SAMPLE)
        return self._draw(noise.normal(streams, self.shape), labels, lambda: noise.normal(streams, self.shape))

    def _draw(self, x0: Tensor, labels: Tensor, fresh: Callable[[], Tensor]) -> tuple[Tensor, int]:
        device = next(self.network.parameters()).device
        field = self.field(labels.to(device))
        x = draw(field, x0.to(device), self.config.sampler, fresh)
        if not bool(x.isfinite().all()):
            sampler = self.config.sampler
            raise NotFinite(f"{sampler.label} with {sampler.steps} steps makes pixels that are not finite")
        return x, field.nfe

    @torch.no_grad()
    def sample_from(self, x0: Tensor, labels: Sequence[int]) -> images.Images:
        """uint8 (B, H, W, C) from noise x0, float32 (B, C, H, W), for as many labels.

        Raises:
            ValueError: the sampler draws noise of its own, so that x0 does not decide.
        """

        def refuse() -> Tensor:
            raise ValueError(f"{self.config.sampler.label} draws noise of its own at every step")

        x, _ = self._draw(x0, self._labels(len(x0), labels, 0), refuse)
        return images.to_uint8(x)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        image = self.config.image
        return image.channels, image.size, image.size

    def bits_per_dimension(
        self,
        data: images.Images,
        labels: Sequence[int] | None = None,
        seed: int = 0,
        steps: int = 50,
        solver: str = "midpoint",
        exact: bool = False,
    ) -> Tensor:
        """How many bits a pixel's channel of each image costs under the generator's own, unguided flow, float32 (B,).

        The grey levels are dequantised uniformly, so this bounds the code length of the image itself from above
        (Theis et al. 2016, arXiv 1511.01844, section 3.1).

        Args:
            data: uint8 (B, H, W, C).
            labels: one for each image; "no label" by default.
            seed: of the dequantisation and of Hutchinson's probe.
            steps, solver: of the integration (fm.solvers.solve).
            exact: the exact divergence instead of Hutchinson's estimate; a backward pass a pixel.
        """
        device = next(self.network.parameters()).device
        wanted = self._labels(len(data), labels if labels is not None else [self.no_label] * len(data), 0)
        x1 = images.to_float(data)

        def uniform(purpose: Purpose) -> Tensor:
            return noise.uniform(noise.streams(seed, range(len(data)), purpose), x1[0].numel()).reshape(x1.shape)

        shift = uniform(Purpose.DEQUANTISATION) - 0.5
        signs = torch.where(uniform(Purpose.DIVERGENCE) < 0.5, -1.0, 1.0)
        start, end = self.path.interval
        found = log_likelihood(
            Field(self.network, self.path, self.target, {"label": wanted.to(device)}).velocity,
            (x1 + shift * (2 / 255)).to(device),
            None if exact else signs.to(device),
            self.path.prior_scale,
            solver,
            steps,
            start,
            end,
        )
        return bits_per_dimension(found.log_density, x1[0].numel()).cpu()

    def field(self, labels: Tensor) -> Field:
        """What the network says for these labels, int64 (B,), guided and along the path of the generator's sampler."""
        sampler = self.config.sampler
        return Field(
            self.network,
            self.path,
            self.target,
            {"label": labels},
            {"label": torch.full_like(labels, self.no_label)},
            Guidance(sampler.guidance, sampler.guidance_interval),
            along=None if sampler.path is None else ProbabilityPath.of(sampler.path),
        )

    def _labels(self, num_images: int, labels: Sequence[int] | None, first_index: int) -> Tensor:
        if num_images < 1:
            raise ValueError(f"num_images must be at least 1, not {num_images}")
        if labels is None:
            indices = np.arange(first_index, first_index + num_images)
            labels = (indices % self.no_label if self.no_label else np.zeros_like(indices)).tolist()
        if len(labels) != num_images:
            raise ValueError(f"{len(labels)} labels for {num_images} images")
        for label in set(labels):
            if not 0 <= label <= self.no_label:
                raise ValueError(
                    f"no label {label}: labels go from 0 to {self.no_label - 1}, and {self.no_label} is none"
                )
        return torch.tensor(labels, dtype=torch.int64)


def network_of(config: Config) -> nn.Module:
    """A network of fresh random weights. Raises ValueError for a kind or size that cannot be."""
    choice = {"name": config.network.get("kind"), **{name: of for name, of in config.network.items() if name != "kind"}}
    shape = config.image.channels, config.image.size, config.image.size
    return Network.of(choice).build(shape, {"label": Label(len(config.label_names))})


def in_a_line(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
