"""Going on from a network that is trained already, on another path and for another target if wanted.

config = gone_on(config, original_in(folder))      # what is trained: the original's network, asked anew
generator = Generator.untrained(config)
take_weights(generator, weights_in(folder))         # what it makes before the first step, the original made
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from fm import diffusers_folders
from fm.codecs import Codec
from fm.components import Choice, options_of, parts
from fm.conditions import Conditioner, Label, Sequence, Spec, Vector
from fm.config import Config, Native
from fm.errors import shown
from fm.generator_files import WEIGHTS, GeneratorError, read_config
from fm.networks import Network
from fm.noise_sources import WHITE, NoiseSource
from fm.paths import Path as ProbabilityPath
from fm.targets import Target
from fm.weight_files import Shape, shapes, tensors

if TYPE_CHECKING:
    from torch import Tensor

    from fm.generator import Generator

T = TypeVar("T")


class Original(NamedTuple):
    """A trained network, but for its weights: what it was made for and is made from.

    Attributes:
        native: its path and target; a target that depends on the data's scale with the scale it was trained at.
        codec, conditioner: of its data; none where that is not known, and shows when the network is made.
        until: whether it is told where a step ends.
        shape: channels and sides of its data, where these alone are known of them; None for a side that is not.
        unconditional: whether it was trained under no condition too, or may have been.
        source: of the noise that it was trained with.

    >>> Original("unet", Native(path="ddpm", target="noise")).until
    False
    """

    network: Choice
    native: Native
    codec: Choice | None = None
    conditioner: Choice | None = None
    until: bool = False
    shape: tuple[int | None, ...] = ()
    unconditional: bool = True
    source: Choice = WHITE.name

    @classmethod
    def of(cls, config: Config) -> Self:
        """A generator's."""
        return cls(
            config.network,
            native_of(config),
            config.codec,
            config.conditioner,
            config.until,
            unconditional=config.unconditional,
            source=config.source,
        )


def original_in(folder: Path) -> Original:
    """The one in a folder: a generator's (Generator.save), or one of diffusers (fm.diffusers_folders).

    Raises:
        GeneratorError: there is none.
    """
    if diffusers_folders.is_one(folder):
        network, native = diffusers_folders.network_in(folder)
        return Original(network, native, shape=diffusers_folders.shape_in(folder))
    return Original.of(read_config(folder))


def weights_in(folder: Path) -> "dict[str, Tensor]":
    """Those of the network itself, by name. Raises GeneratorError: they cannot be read."""
    if diffusers_folders.is_one(folder):
        return diffusers_folders.weights_in(folder)
    return of_the_network(tensors(folder / WEIGHTS), folder)


def shapes_in(folder: Path) -> dict[str, Shape]:
    """Of the same, without reading them. Raises GeneratorError: they cannot be."""
    if diffusers_folders.is_one(folder):
        return diffusers_folders.shapes_in(folder)
    return of_the_network(shapes(folder / WEIGHTS), folder)


def of_the_network(named: dict[str, T], folder: Path) -> dict[str, T]:
    """By the names that they have in the network itself, be it converted or not."""
    if read_config(folder).native is None:
        return named
    return {name.removeprefix(CONVERTED): value for name, value in named.items()}


CONVERTED = "network."
"""What the names of a converted network's weights begin with (fm.networks.converted)."""
SECOND = "embed_until."
"""What the names of those weights begin with that make something of a second time (fm.networks.conditioned)."""
TIME_FREQUENCY = "time_frequency"
"""The option by which networks say how fast the times are that they embed."""


def take_weights(generator: "Generator", weights: "Mapping[str, Tensor]") -> None:
    """Give a generator that goes on from a network (gone_on) that network's weights.

    Where it alone is told a second time, the embedding of that starts at zero: it says at any second time what the
    original says, and so at until = t.

    Raises:
        GeneratorError: they are those of another network, or one is not finite.
    """
    from fm.finite import not_finite
    from fm.networks.converted import unconverted
    from fm.networks.layers import zero_init

    if name := next(not_finite(weights), None):
        raise GeneratorError(f"it cannot be gone on from: the weight {name} is not finite")
    found = {name: tuple(value.shape) for name, value in weights.items()}
    require_weights_of(generator, found)
    network = unconverted(generator.network)
    if told_where_steps_end_first(generator, found):
        zero_init(network.embed_until.second)  # whatever second time it is told, it says what the original said
        second = {name: value for name, value in network.state_dict().items() if name.startswith(SECOND)}
        weights = {**second, **weights}
    network.load_state_dict(weights)


def require_weights_of(generator: "Generator", found: Mapping[str, Shape]) -> None:
    """That weights of these shapes, by their names, are those that a generator's network can be given (take_weights).

    Raises:
        GeneratorError: they are another network's; with the first that is not as it has to be.
    """
    from fm.networks.converted import unconverted

    wanted = {name: tuple(value.shape) for name, value in unconverted(generator.network).state_dict().items()}
    if told_where_steps_end_first(generator, found):
        wanted = {name: shape for name, shape in wanted.items() if not name.startswith(SECOND)}
    for name in [*wanted, *found]:
        if wanted.get(name) != found.get(name):
            raise GeneratorError(
                f"it cannot be gone on from: its weights are another network's: {name} is {size(found.get(name))}, and "
                f"must be {size(wanted.get(name))}"
            )


def told_where_steps_end_first(generator: "Generator", found: Mapping[str, Shape]) -> bool:
    """Whether this network is told so, and the one that the weights are of was not."""
    return generator.config.until and not any(name.startswith(SECOND) for name in found)


def size(shape: Shape | None) -> str:
    return "missing" if shape is None else str(list(shape))


def gone_on(config: Config, original: Original) -> Config:
    """`config` with the original's network, which knows what it was made for where that is another path or target.

    Raises:
        ValueError: their data, conditions or noise differ, or one of them is told where a step ends.

    >>> shared = {
    ...     "codec": {"name": "pixels", "stored": [8, 8, 1]},
    ...     "conditioner": "none",
    ...     "sampler": {"solver": "ddim", "steps": 10},
    ... }
    >>> diffusion = Config(path="ddpm", target="noise", network={"name": "unet", "width": 8}, **shared)
    >>> flow = gone_on(Config(path="cond_ot", target="velocity", network="unet", **shared), Original.of(diffusion))
    >>> flow.network, flow.native
    ({'name': 'unet', 'width': 8}, Native(path='ddpm', target='noise'))
    """
    require_same_data(config, original)
    if NoiseSource.of(config.source) != NoiseSource.of(original.source):
        here, there = (NoiseSource.of(one).name for one in (config.source, original.source))
        raise ValueError(
            f"the network to go on from was trained with noise of the source {there}, and this is {here}"
            f"{' of another spectrum' if here == there else ''}: they must be the same"
        )
    asked = native_of(config.model_copy(update={"native": None}))
    if (original.until and not config.until) or (config.until and original.native != asked):
        raise ValueError("a network that is told where a step ends goes on only as such a network, on the same path")
    network = original.network if original.until == config.until else told_where_steps_end(original.network)
    native = None if original.native == asked else original.native
    unconditional = config.unconditional or original.unconditional
    return config.model_copy(update={"network": network, "native": native, "unconditional": unconditional})


def told_where_steps_end(network: Choice) -> Choice:
    """The choice of the network that is told a second time, and embeds the first as this one does.

    Raises:
        ValueError: one's own network, of which that is not known.

    >>> told_where_steps_end({"name": "unet", "width": 8})
    {'name': 'unet', 'width': 8, 'time_frequency': 1000.0}
    """
    from fm.networks.conditioned import FASTEST

    name, options = parts(network)
    if TIME_FREQUENCY not in options_of(type(Network.of(network))):
        raise ValueError(
            f"network {name}: without an option {TIME_FREQUENCY} a network that is told where a step ends cannot go on "
            "from one that is not"
        )
    return {"name": name, **options, TIME_FREQUENCY: options.get(TIME_FREQUENCY, FASTEST)}


def native_of(config: Config) -> Native:
    """What a network was made for."""
    made_for = config.native or Native(path=config.path, target=config.target)
    target = Target.of(made_for.target).at_scale(Codec.of(config.codec).scale)
    return Native(path=ProbabilityPath.of(made_for.path).choice, target=target.choice)


def require_same_data(config: Config, original: Original) -> None:
    """Raises ValueError where a network for the original's data is none for these."""
    if original.codec is not None:
        here, there = Codec.of(config.codec), Codec.of(original.codec)
        if (here.name, here.shape) != (there.name, there.shape):
            raise ValueError(
                f"the network to go on from is for {there.name} {list(there.shape)}, and the data are {here.name} "
                f"{list(here.shape)}: they must be the same"
            )
        if here.origin != there.origin:
            raise ValueError(f"the network to go on from is for {here.name} of other weights: they must be the same")
    shape = Codec.of(config.codec).shape
    if original.shape and not fits(shape, original.shape):
        its = ", ".join("any" if one is None else str(one) for one in original.shape)
        raise ValueError(
            f"the network to go on from is for data of shape [{its}], by its in_channels and sample_size, and these "
            f"are of {list(shape)}: they must be the same"
        )
    if original.conditioner is not None:
        require_same_conditions(Conditioner.of(config.conditioner), Conditioner.of(original.conditioner))


def fits(shape: tuple[int, ...], known: tuple[int | None, ...]) -> bool:
    """Whether data of a shape can be those of which so much is known.

    >>> fits((1, 28, 28), (1, None, None)), fits((1, 28, 28), (3, 28, 28))
    (True, False)
    """
    return len(shape) == len(known) and all(its in (None, one) for one, its in zip(shape, known, strict=True))


def require_same_conditions(mine: Conditioner, its: Conditioner) -> None:
    """Raises ValueError where a network that is told the one would be told another thing by the other."""
    if mine.fields != its.fields:
        raise ValueError(
            f"the network to go on from is told {told(its.fields)}, and the data have {told(mine.fields)}: they must "
            "be the same"
        )
    if mine.meaning != its.meaning:
        raise ValueError(
            "the network to go on from is told texts by another encoder than the data have been read by: it must be "
            "the same"
        )
    differ = (index for index, both in enumerate(zip(its.choices, mine.choices, strict=False)) if both[0] != both[1])
    if (index := next(differ, None)) is not None:
        raise ValueError(
            f"the network to go on from knows label {index} as {shown(its.choices[index])}, and the data as "
            f"{shown(mine.choices[index])}: their names must be the same, in the same order"
        )


def told(fields: Mapping[str, Spec]) -> str:
    """What a network is told, in words.

    >>> told({"label": Label(count=9), "size": Vector(width=2)})
    '9 labels, size (2 numbers)'
    """
    return ", ".join(one_told(name, spec) for name, spec in fields.items()) or "nothing"


def one_told(name: str, spec: Spec) -> str:
    if isinstance(spec, Label):
        return f"{spec.count} labels" if name == "label" else f"{name} ({spec.count} labels)"
    if isinstance(spec, Vector):
        return f"{name} ({spec.width} numbers)"
    if isinstance(spec, Sequence):
        return f"{name} (up to {spec.length} times {spec.width} numbers)"
    return f"{name} (a map of {spec.channels} channels)"
