"""A row of params.yaml as objects of fm, built once: what a network learns, what it is made from, how it is sampled."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor

from fm.batches import Budget, Examples
from fm.codecs import Codec
from fm.components import Choice, parts
from fm.config import Config, SamplerConfig
from fm.errors import UserError
from fm.generator import Generator
from fm.generator_files import GeneratorError
from fm.objectives import Objective
from fm.pairs import Pairs
from fm.starting import Original, gone_on, original_in, require_weights_of, take_weights, weights_in
from pipelines import starts
from pipelines.params import Params
from pipelines.project import MODELS, PAIRS
from pipelines.rehearsal import rehearse_pairs, rehearse_settings


@dataclass(frozen=True)
class Method:
    """A method of a comparison, on one dataset.

    Attributes:
        name: its key in params.yaml.
        objective: what its network learns.
        config: what an untrained generator is made from.
        samplers: all that it is measured with, each number of steps by itself.
        start_from: folder of the network that its own goes on from.
        start: the method whose network it is.
        pairs: the sampler by which that network makes pairs that it is trained on, instead of the data.
        codec: the one that config names, with the weights that it may have.
    """

    name: str
    objective: Objective
    config: Config
    samplers: tuple[SamplerConfig, ...]
    start_from: str | None = None
    start: Self | None = None
    pairs: SamplerConfig | None = None
    codec: Codec | None = None

    @classmethod
    def build(cls, settings: Params, name: str, examples: Examples) -> Self:
        """From params.yaml's row `name`, for a network that learns from these examples.

        Raises:
            UserError: a setting that cannot be, by its key.
        """
        row, codec = settings.methods[name], examples.codec.of_samples
        with named(name):
            objective = Objective.of(row.objective.choice).at_scale(examples.codec.scale).measured(examples)
            config = Config(
                path=row.objective.path,
                target=row.objective.target,
                network=row.network.choice,
                codec=codec.choice,
                conditioner=examples.conditioner.choice,
                until=objective.until,
                unconditional=settings.train.label_dropout > 0,
                source=objective.source.choice,
                sampler=default_sampler(row.objective.path, objective.until, codec.bound),
            )
            if objective.guided and examples.conditioner.asks_nothing:
                raise ValueError(
                    "objective: guidance leads away from what is said under no condition, and these data have no other"
                )
            if row.start_from is not None:
                config = gone_on(config, starts.original(name, row.start_from))
        start = None if row.start is None else cls.build(settings, row.start, examples)
        with named(name):
            if start is not None:
                config = gone_on(config, Original.of(start.config))
            pairs = None if row.pairs is None else row.pairs.sampler
            return cls(name, objective, config, tuple(row.each_sampler()), row.start_from, start, pairs, codec)

    def examples(self, of_data: Examples) -> Examples:
        """What its network learns from: the data, or pairs. Raises UserError: pairs that are not there."""
        if self.pairs is None:
            return of_data
        return replace(of_data, rows=Pairs.open(PAIRS / self.name), captions=None)  # which lie beside the pairs

    def untrained(self, weights: bool = True) -> Generator:
        """With random weights, from torch's global generator, or with none (Generator.untrained).

        Raises:
            UserError: a setting that cannot be, by its key.
        """
        with named(self.name):
            return Generator.untrained(self.config, weights, self.codec)

    def begun(self, weights: bool = True) -> Generator:
        """As training begins: untrained, or with the weights of the network that it goes on from.

        Raises:
            UserError: a setting that cannot be, by its key, or weights that cannot be taken.
        """
        generator = self.untrained(weights)
        if self.start_from is not None and weights:
            with starts.named(self.name, self.start_from):
                take_weights(generator, starts.weights(self.name, self.start_from))
        if self.start is not None and weights:
            with named(f"{self.name}.start = {self.start.name}"):
                take_weights(generator, self.start.weights())
        return generator

    def require_weights(self) -> None:
        """That those of the folder that it goes on from are its network's, as their headers say: at next to no cost.

        Raises:
            UserError: they are another network's, or cannot be read.
        """
        if self.start_from is not None:
            found = starts.shapes(self.name, self.start_from)
            with starts.named(self.name, self.start_from):
                require_weights_of(self.untrained(weights=False), found)

    def weights(self) -> dict[str, Tensor]:
        """Of the network as it has been trained, by name.

        Raises:
            UserError: it has not been, or by other settings.
        """
        folder = MODELS / self.name
        if not folder.is_dir() or original_in(folder) != Original.of(self.config):
            what = "was trained by other settings" if folder.is_dir() else "is missing"
            raise UserError(f"{folder} {what}: `dvc repro train@{self.name}` makes it")
        return weights_in(folder)


def build(settings: Params, examples: Examples) -> dict[str, Method]:
    """Every method of params.yaml, by its name. Raises UserError: a setting that cannot be, by its key."""
    return {name: Method.build(settings, name, examples) for name in settings.methods}


def try_all(methods: Iterable[Method]) -> None:
    """That every method can be trained and sampled: what is wrong with the last is told before the first is trained.

    Raises:
        UserError: a setting that cannot be, by its key, or weights to go on from that cannot be taken.
    """
    for method in methods:
        with named(method.name):
            rehearse_settings(method.name, method.config, method.samplers)
            if method.pairs is not None and method.start is not None:
                rehearse_pairs(method.name, method.start.config, method.pairs)
        method.require_weights()


def budget(settings: Params) -> Budget:
    """The one that all methods share."""
    return Budget(**{name: getattr(settings.train, name) for name in Budget.__dataclass_fields__})


def default_sampler(path: Choice, until: bool, bound: float | None) -> SamplerConfig:
    """DDIM: on the straight path Euler's method, elsewhere with the predicted data kept in range, if they have one; of
    a network that is told where a step ends (`until`), a few leaps.

    Equal steps of noise would waste EDM's path.
    """
    if until:
        return SamplerConfig(solver="jump", steps=4)
    name, _ = parts(path)
    solver: Choice = "ddim" if name == "cond_ot" or bound is None else {"name": "ddim", "clip": "codec"}
    return SamplerConfig(solver=solver, steps=50, grid="edm" if name == "edm" else "uniform")


@contextmanager
def named(method: str) -> Iterator[None]:
    """What cannot be is told with the row's key."""
    try:
        yield
    except (ValueError, GeneratorError) as error:
        raise UserError(f"params.yaml: methods.{method}: {error}") from None
