"""Going on from a network that is trained already, on another path and for another target if wanted.

config = gone_on(config, original.config)          # what is trained: the original's network, asked as `config` says
generator = Generator.untrained(config)
take_weights(generator, original)                  # before the first step it makes what the original makes
"""

from collections.abc import Mapping

from fm.codecs import Codec
from fm.conditions import Conditioner, Spec
from fm.config import Config, Native
from fm.generator import Generator
from fm.networks.converted import unconverted
from fm.paths import Path
from fm.targets import Target


def gone_on(config: Config, original: Config) -> Config:
    """`config` with the original's network, which knows what it was made for where that is another path or target.

    Raises:
        ValueError: their data or conditions differ, or one of them is told where a step ends.

    >>> shared = {
    ...     "codec": {"name": "pixels", "stored": [8, 8, 1]},
    ...     "conditioner": "none",
    ...     "sampler": {"solver": "ddim", "steps": 10},
    ... }
    >>> diffusion = Config(path="ddpm", target="noise", network={"name": "unet", "width": 8}, **shared)
    >>> flow = gone_on(Config(path="cond_ot", target="velocity", network="unet", **shared), diffusion)
    >>> flow.network, flow.native
    ({'name': 'unet', 'width': 8}, Native(path='ddpm', target='noise'))
    """
    require_same_data(config, original)
    native = native_of(original)
    asked = native_of(config.model_copy(update={"native": None}))
    known = original.until, config.until
    if any(known) and (native != asked or known != (True, True)):
        raise ValueError("a network that is told where a step ends goes on only as such a network, on the same path")
    return config.model_copy(update={"network": original.network, "native": None if native == asked else native})


def native_of(config: Config) -> Native:
    """What a network was made for, a target that depends on the data's scale with the scale it was trained at."""
    made_for = config.native or Native(path=config.path, target=config.target)
    target = Target.of(made_for.target).at_scale(Codec.of(config.codec).scale)
    return Native(path=Path.of(made_for.path).choice, target=target.choice)


def require_same_data(config: Config, original: Config) -> None:
    """Raises ValueError where a network for the original's data is none for these."""
    here, there = Codec.of(config.codec), Codec.of(original.codec)
    if (here.name, here.shape) != (there.name, there.shape):
        raise ValueError(
            f"it is of {there.name} {list(there.shape)}, and the data are {here.name} {list(here.shape)}: they must be "
            "the same"
        )
    mine, its = Conditioner.of(config.conditioner).fields, Conditioner.of(original.conditioner).fields
    if mine != its:
        raise ValueError(f"it is told {told(its)}, and the data have {told(mine)}: they must be the same")


def told(fields: Mapping[str, Spec]) -> str:
    return ", ".join(f"{name} ({spec})" for name, spec in fields.items()) or "nothing"


def take_weights(generator: Generator, original: Generator) -> None:
    """Give a generator that is made by `gone_on` the original's weights; both may be converted, or neither.

    Raises:
        ValueError: their networks differ.
    """
    if generator.config.network != original.config.network:
        raise ValueError("the networks differ: make the generator's settings by gone_on")
    unconverted(generator.network).load_state_dict(unconverted(original.network).state_dict())
