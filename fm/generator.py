"""A trained network with its path, codec, conditioner and sampler: a folder of config.json and model.safetensors."""

import copy
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fm.codecs import BESIDE, Codec
from fm.components import Choice
from fm.conditions import Condition, Conditioner
from fm.config import Autoguidance, Config, SamplerConfig
from fm.errors import UserError, shown
from fm.field import Field
from fm.finite import not_finite
from fm.generator_files import (
    CONFIG,
    NOTHING,
    WEAK,
    WEIGHTS,
    GeneratorError,
    codec_of,
    in_a_line,
    read_config,
    readable,
    without_weaker,
    write_config,
)
from fm.guidance import Guidance
from fm.networks import Network
from fm.networks.compiled import Compiled
from fm.networks.converted import Converted
from fm.networks.layers import in_channels_last
from fm.networks.sizes import sizes_alone
from fm.noise import Draws, Purpose
from fm.noise_sources import Datum, NoiseSource
from fm.paths import Path as ProbabilityPath
from fm.precision import Precision, evaluating
from fm.sampling import draw
from fm.solvers import Solver
from fm.targets import Target

__all__ = ["Config", "Generator", "GeneratorError", "NotFinite", "SamplerConfig"]


class NotFinite(UserError, ValueError):
    """What is made is no numbers: a sampler that does not stay finite on this network."""


class Generator:
    """Makes data from noise.

    Attributes:
        path: the probability path that its network was trained on.
        source: the distribution of the noise that its data are made from.
        target: what its network predicts.
        codec: between what it makes and what is stored.
        conditioner: reads what its data are asked for under: labels, for most.
        weaker: networks that a sampler may lead away from (autoguidance), by their number.
        negative: what guidance leads away from instead of "no condition"; nothing by default.

    >>> config = Config(
    ...     path="cond_ot",
    ...     target="velocity",
    ...     network={"name": "unet", "width": 8},
    ...     codec={"name": "pixels", "stored": [8, 8, 1]},
    ...     conditioner={"name": "labels", "names": ["cat", "dog"]},
    ...     sampler={"solver": "midpoint", "steps": 5},
    ... )
    >>> Generator.untrained(config).sample(3, seed=0, labels=["cat", "dog", None]).shape
    (3, 8, 8, 1)
    """

    def __init__(self, config: Config, network: nn.Module, codec: Codec | None = None) -> None:
        """
        Args:
            codec: the one that config names, where it has weights, which no choice can say.
        """
        self.config = config
        self.network = network
        self.weaker: dict[int, nn.Module] = {}
        self.negative: Any = None
        self.precision: Precision = "float32"
        self.path = ProbabilityPath.of(config.path)
        self.source = NoiseSource.of(config.source)
        self.codec = Codec.of(config.codec) if codec is None else codec
        self.conditioner = Conditioner.of(config.conditioner).for_codec(self.codec)
        self.target = Target.of(config.target).at_scale(self.codec.scale)

    @classmethod
    def untrained(cls, config: Config, weights: bool = True, codec: Codec | None = None) -> Self:
        """With a network of fresh random weights, drawn from torch's global generator; or of sizes alone, on the device
        `meta`, which takes no memory. The codec as for a generator."""
        with nullcontext() if weights else sizes_alone():
            network = in_channels_last(network_of(config))
        return cls(config, network, codec)

    @classmethod
    def load(cls, folder: Path | str, own: Container[str] = (), weaker: Mapping[int, Path] = NOTHING) -> Self:
        """What `save` wrote, by this version or an earlier one.

        Args:
            own: what is not the library's and may be imported for it (fm.components): whoever made a folder decides
                which code its config.json names.
            weaker: folders of networks that other samplers than its own lead away from, by their number.

        Raises:
            GeneratorError: a folder that is missing, damaged or of a newer version, or that needs what `own` does not
                name.
        """
        folder = Path(folder)
        config = read_config(folder, own)
        require_components(folder, config)
        codec = Codec.of(config.codec).loaded(codec_of(folder))
        generator = cls(config, network_in(folder, WEIGHTS, config), codec)
        if config.sampler.snapshot is not None:
            generator.weaker[config.sampler.snapshot] = network_in(folder, WEAK, config)
        for number, place in weaker.items():
            generator.weaker[number] = network_in(place, WEIGHTS, config)
        return generator

    def save(self, folder: Path | str) -> None:
        """Write config.json and model.safetensors; equal generators give equal bytes. Where the sampler leads away from
        a weaker network, that is written beside them, and what a codec has of weights in a folder (fm.codecs.BESIDE).

        Raises:
            GeneratorError: a weight is not finite, or the weaker network is not there; nothing is written.
        """
        folder = Path(folder)
        try:
            weak = self._weak()
        except ValueError as error:
            raise GeneratorError(f"{folder} is not written: {error}") from None
        files = {name: weights_of(one) for name, one in ((WEIGHTS, self.network), (WEAK, weak)) if one is not None}
        if name := next((name for weights in files.values() for name in not_finite(weights)), None):
            raise GeneratorError(f"{folder} is not written: the weight {name} is not finite")
        self.codec.save(folder / BESIDE)
        folder.mkdir(parents=True, exist_ok=True)
        for file, weights in files.items():
            save_file(weights, folder / file)
        write_config(folder, self.config)

    def _weak(self) -> nn.Module | None:
        """The network that its sampler leads away from, if any. Raises ValueError where it is not there."""
        sampler = self.config.sampler
        if sampler.snapshot is None:
            return None
        if sampler.snapshot not in self.weaker:
            raise ValueError(without_weaker(sampler))
        return self.weaker[sampler.snapshot]

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def to(self, device: torch.device | str) -> Self:
        for network in (self.network, *self.weaker.values()):
            network.to(device)
        self.codec.to(device)
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, *spatial) of a datum as the network sees it."""
        return self.codec.shape

    def with_sampler(self, sampler: SamplerConfig) -> Self:
        """The same network with another sampler."""
        other = copy.copy(self)
        other.config = self.config.model_copy(update={"sampler": sampler})
        return other

    def around(self, network: nn.Module) -> Self:
        """The same of another network that was made for the same."""
        other = copy.copy(self)
        other.network = network
        return other

    def away_from(self, negative: Any) -> Self:
        """The same with guidance that leads away from what is asked for here, not from "no condition": a negative
        prompt, as the conditioner reads it; None is "no condition" again."""
        other = copy.copy(self)
        other.negative = negative
        return other

    def evaluated(self, precision: Precision = "float32", compiled: bool = False) -> Self:
        """The same weights with the network called otherwise.

        Args:
            precision: of its products (fm.precision).
            compiled: by torch.compile (fm.networks.compiled), on the device where the network is now.
        """
        other = copy.copy(self)
        other.precision = precision
        if compiled:
            other.network = Compiled(self.network)
            other.weaker = {number: Compiled(network) for number, network in self.weaker.items()}
        return other

    def adjusted(self, steps: int | None = None, solver: Choice | None = None, guidance: float | None = None) -> Self:
        """The same with the parts of its sampler changed that are given; of guidance the scale alone, whatever it leads
        away from. Raises ValueError for what cannot be."""
        sampler = self.config.sampler
        given = {"steps": steps, "solver": solver, "guidance": guidance}
        changed = {name: value for name, value in given.items() if value is not None}
        if guidance is not None and isinstance(sampler.guidance, Autoguidance):
            changed["guidance"] = {**sampler.guidance.model_dump(), "scale": guidance}
        try:
            return self.with_sampler(SamplerConfig.model_validate({**sampler.model_dump(), **changed}))
        except ValidationError as error:
            raise ValueError(in_a_line(error)) from None

    def sample(
        self,
        num_images: int,
        seed: int,
        labels: Sequence[Any] | None = None,
        steps: int | None = None,
        solver: Choice | None = None,
        guidance: float | None = None,
        first_index: int = 0,
        batch_size: int = 200,
        source: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """(num_images, *stored), for images uint8 (num_images, H, W, C). Datum i is made from the noise of sample
        first_index + i of `seed`.

        Args:
            labels: what each is asked for under, as the conditioner reads it; by default all there is in turn.
            steps, solver, guidance: the generator's own by default. Guidance of scale 1 means none.
            source: what each begins with, as stored, (num_images, *stored): for a generator that makes data of other
                data and not of noise (fm.noise_sources.Datum), and for no other.

        Raises:
            ValueError: a count, label, solver, scale or source that cannot be.
            NotFinite: a ValueError; the sampler leaves what numbers can hold.
        """
        chosen = self.adjusted(steps, solver, guidance)
        made = chosen.chunks(num_images, seed, labels, first_index, batch_size, source)
        return np.concatenate([self.codec.decode(x) for x, _ in made])

    def sample_float(
        self,
        num_images: int,
        seed: int,
        labels: Sequence[Any] | None = None,
        first_index: int = 0,
        batch_size: int = 200,
        source: NDArray[Any] | None = None,
    ) -> tuple[Tensor, int]:
        """By the generator's own sampler and before decoding: float (num_images, *shape), and the network calls that
        each took."""
        made = [(x.cpu(), nfe) for x, nfe in self.chunks(num_images, seed, labels, first_index, batch_size, source)]
        return torch.cat([x for x, _ in made]), made[-1][1]

    def chunks(
        self,
        num_images: int,
        seed: int,
        labels: Sequence[Any] | None = None,
        first_index: int = 0,
        batch_size: int = 200,
        source: NDArray[Any] | None = None,
    ) -> Iterator[tuple[Tensor, int]]:
        """The same, `batch_size` at a time and on the network's device; no more is in memory than that."""
        if num_images < 1:
            raise ValueError(f"num_images must be at least 1, not {num_images}")
        if isinstance(labels, str | int):
            raise ValueError(
                f"labels = {shown(labels)}: must be one for each image, as [{shown(labels)}] * {num_images}"
            )
        asked = self.conditioner.in_turn(num_images, first_index) if labels is None else labels
        if len(asked) != num_images:
            raise ValueError(f"{len(asked)} labels for {num_images} images")
        self._require_source(num_images, source)
        for start in range(0, num_images, batch_size):
            chunk = slice(start, start + batch_size)
            yield self._sample_chunk(seed, first_index + start, asked[chunk], None if source is None else source[chunk])

    @torch.no_grad()
    def _sample_chunk(
        self, seed: int, first_index: int, asked: Sequence[Any], source: NDArray[Any] | None = None
    ) -> tuple[Tensor, int]:
        draws = Draws(seed, range(first_index, first_index + len(asked))).to(self.device)
        white = draws.successive(self.shape, Purpose.SAMPLE)

        def fresh() -> Tensor:
            return self.source.shaped(white())

        if isinstance(self.source, Datum) and source is not None:
            return self._draw(self.source.begun(self.codec.encode(source).to(self.device), white()), asked, fresh)
        return self._draw(fresh(), asked, fresh)

    def _require_source(self, count: int, source: NDArray[Any] | None) -> None:
        """Raises ValueError: data to begin with are given to who begins with noise, or the other way round, or are
        others than so many that the codec stores."""
        if isinstance(self.source, Datum) != (source is not None):
            begins = "other data, and none are given" if source is None else "noise, and not with other data"
            raise ValueError(f"this generator begins with {begins}")
        if source is not None and source.shape != (count, *self.codec.stored):
            raise ValueError(
                f"source must be {(count, *self.codec.stored)}, as the data are stored, not {source.shape}"
            )

    def _draw(self, x0: Tensor, asked: Sequence[Any], fresh: Callable[[], Tensor]) -> tuple[Tensor, int]:
        return self._drawn(self.field(asked), x0, fresh)

    def _drawn(self, field: Field, x0: Tensor, fresh: Callable[[], Tensor]) -> tuple[Tensor, int]:
        sampler = self.config.sampler
        if Solver.of(sampler.solver).until and not self.config.until:
            raise ValueError(
                f"{sampler.label} needs a network that is told where a step ends, which this one is not: the "
                "objectives mean_flow and shortcut train one"
            )
        with evaluating(self.precision, self.device):
            x = draw(field, x0.to(self.device), sampler, fresh, self.codec.bound)
        if not bool(x.isfinite().all()):
            raise NotFinite(f"{sampler.label} with {sampler.steps} steps makes data that are not finite")
        return x, field.nfe

    @torch.no_grad()
    def sample_from(self, x0: Tensor, labels: Sequence[Any]) -> NDArray[Any]:
        """(B, *stored) from noise x0 of the generator's source, float32 (B, *shape), for as many labels.

        Raises:
            ValueError: the sampler draws noise of its own, so that x0 does not decide.
        """
        x, _ = self._draw(x0, labels, self._refuse)
        return self.codec.decode(x)

    @torch.no_grad()
    def ends_of(self, x0: Tensor, condition: Condition) -> Tensor:
        """Where noise x0 (B, *shape) of the source ends, before decoding, under a condition as the network has it.

        Raises:
            ValueError: the sampler draws noise of its own, so that x0 does not decide.
        """
        under = {name: value.to(self.device) for name, value in condition.items()}
        return self._drawn(self.field_under(under), x0, self._refuse)[0]

    def _refuse(self) -> Tensor:
        raise ValueError(f"{self.config.sampler.label} draws noise of its own at every step")

    def condition(self, asked: Sequence[Any]) -> Condition:
        """What the conditioner reads of it, on the network's device. Raises ValueError for what cannot be."""
        return {name: value.to(self.device) for name, value in self.conditioner.read(asked).items()}

    def field(self, asked: Sequence[Any]) -> Field:
        """What the network says under what is asked for, guided and along the path of the generator's sampler."""
        return self.field_under(self.condition(asked))

    def field_under(self, condition: Condition) -> Field:
        """The same under a condition as the network has it."""
        sampler = self.config.sampler
        return Field(
            self.network,
            self.path,
            self.target,
            condition,
            self._led_away_from(condition),
            Guidance(sampler.scale, sampler.guidance_interval),
            along=None if sampler.path is None else ProbabilityPath.of(sampler.path),
            weak=self._weak(),
        )

    def _led_away_from(self, condition: Condition) -> Condition:
        """What guidance without a weaker network leads away from, for as many data.

        Raises:
            ValueError: there is nothing to lead away from, or a negative that nothing would lead away from, or that
                cannot be read.
        """
        sampler = self.config.sampler
        if self.negative is None:
            self._require_unconditional()
            return self.conditioner.null(condition)
        if sampler.scale == 1 or sampler.snapshot is not None:
            raise ValueError(
                f"{shown(self.negative)} is to be led away from, but {sampler.label} leads away from "
                f"{'nothing: give it a scale of guidance other than 1' if sampler.scale == 1 else 'a snapshot'}"
            )
        read = self.condition([self.negative])
        return {name: read[name].expand_as(value) for name, value in condition.items()}

    def _require_unconditional(self) -> None:
        """Raises ValueError where the sampler leads away from "no condition", and the network knows that alone, or all
        but that."""
        sampler = self.config.sampler
        if not sampler.by_no_condition or (self.config.unconditional and not self.conditioner.asks_nothing):
            return
        why = "is asked for nothing else" if self.conditioner.asks_nothing else "was never trained so"
        raise ValueError(
            f"{sampler.label}: guidance leads away from what the network says under no condition, and this one {why}: "
            "leave it at 1"
        )


def network_of(config: Config) -> nn.Module:
    """A network of fresh random weights. Raises ValueError for a kind or size that cannot be."""
    codec, fields = Codec.of(config.codec), Conditioner.of(config.conditioner).fields
    network = Network.of(config.network).build(codec.shape, fields, until=config.until)
    if config.native is None:
        return network
    target, answer = (Target.of(one.target).at_scale(codec.scale) for one in (config.native, config))
    path, along = (ProbabilityPath.of(one.path) for one in (config.native, config))
    return Converted(network, path, target, along, answer)


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """As safetensors takes them."""
    return {name: value.contiguous().cpu() for name, value in network.state_dict().items()}


def network_in(folder: Path, file: str, config: Config) -> nn.Module:
    """The network whose weights lie in a file of a folder, ready to be asked.

    Raises:
        GeneratorError: it is missing or damaged, or not of the network that config.json asks for.
    """
    try:
        with readable(folder):
            require_fit(folder, config, file)
            network = Generator.untrained(config).network
            weights = load_file(folder / file)
            network.load_state_dict(weights)
    except (ValueError, TypeError) as error:
        raise GeneratorError(f"{folder / CONFIG} asks for what cannot be made: {error}") from None
    except (SafetensorError, RuntimeError) as error:
        raise GeneratorError(f"{folder / file} is damaged: {error}") from None
    if name := next(not_finite(weights), None):
        raise GeneratorError(f"{folder / file} cannot be used: the weight {name} is not finite")
    return network.eval()


def require_components(folder: Path, config: Config) -> None:
    """That what a generator is made of is the library's, or imported. Raises GeneratorError, with what to do."""
    if missing := config.missing():
        modules = " and ".join(sorted({place.partition(":")[0] for place in missing}))
        named = ", ".join(f'"{place}"' for place in missing)
        raise GeneratorError(
            f"{folder} needs {', '.join(missing)}, not of the library: if you trust it, import {modules} first, "
            f"or name it to whoever loads this: Generator.load(folder, own=[{named}])"
        )


def require_fit(folder: Path, config: Config, file: str) -> None:
    """That the weights are those of the network that config.json asks for, before there is memory for it.

    Raises:
        GeneratorError: they are not; which one is another.
    """
    with sizes_alone():
        asked = {name: tuple(value.shape) for name, value in network_of(config).state_dict().items()}
    with safe_open(folder / file, framework="pt") as opened:
        there = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    for name in sorted(asked.keys() | there.keys()):
        if asked.get(name) != there.get(name):
            raise GeneratorError(
                f"{folder}: config.json and {file} do not fit: {name} is {there.get(name, 'missing')}, "
                f"not {asked.get(name, 'asked for')}"
            )
