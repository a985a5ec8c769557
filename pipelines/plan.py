"""What a training would take of each device's memory, and which settings fit: before there is such a machine.

.venv/bin/python -m pipelines.plan --devices 8                the settings of params.yaml
.venv/bin/python -m pipelines.plan --devices 8 --gib 80 --shape 4,32,32 --labels 1000 --batch-size 256 \\
    --network "{kind: transformer, width: 3072, blocks: 40, heads: 24}"      seven billion weights
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from torch import nn

from fm.components import ANY
from fm.conditions import Condition, Labels, Sequence, Spec
from fm.data.embedded import MASK, TEXT
from fm.data.prepared import Prepared, PreparedError
from fm.errors import UserError
from fm.networks import Network
from fm.networks.conditioned import Conditioned
from fm.networks.sizes import sizes_alone
from fm.training.planning import Needs, Setting, needs
from pipelines import params, yaml_reading
from pipelines.dataset import for_training, opened
from pipelines.params.mistakes import explained
from pipelines.params.network import Network as Section
from pipelines.program import run

GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """Attributes:
    parts: that a batch is cut into (train.accumulate).
    needs: on each device.
    """

    parts: int
    needs: Needs


@dataclass(frozen=True)
class Asked:
    """Attributes:
    fields, condition: what the network is told, and that of one datum.
    limit: bytes of a device that tensors may take.
    """

    network: Network
    shape: tuple[int, ...]
    fields: Mapping[str, Spec]
    condition: Condition
    batch_size: int
    devices: int
    limit: float
    precision: str

    def build(self) -> nn.Module:
        return self.network.build(self.shape, self.fields)

    def kept(self, setting: Setting) -> float:
        """Bytes that a device holds whatever the batch: weight, gradient, AdamW's two and average, float32 each."""
        with sizes_alone():
            weights = sum(weight.numel() for weight in self.build().parameters())
        return 5 * 4 * weights / (setting.devices if setting.sharded else 1)

    def plan(self, setting: Setting) -> Plan | None:
        """With the fewest parts that fit; with the most there can be where none do. None where not even that is kept
        fits which does not depend on the batch."""
        if self.kept(setting) > self.limit:
            return None
        data, parts = self.batch_size // self.devices, 1
        while True:
            part = -(-data // parts)
            found = Plan(parts, needs(self.build, self.shape, self.condition, setting, part))
            if found.needs.total <= self.limit or part == 1:
                return found
            parts = min(parts * 2, data)

    def settings(self) -> Iterator[Setting]:
        """From the fastest to the one that takes the least."""
        with sizes_alone():
            has_blocks = isinstance(self.build(), Conditioned)  # which alone compute them again
        for sharded in (False, True) if self.devices > 1 else (False,):
            for recomputed in (False, True) if has_blocks else (False,):
                yield Setting(self.devices, sharded, self.precision, recomputed)


def main() -> None:
    for line in told(read()):
        print(line, flush=True)


def told(asked: Asked) -> Iterator[str]:
    """A table of GiB on each device, row by row as it is found, and what to write into params.yaml."""
    yield (
        f"GiB on each device, of which {asked.limit / GIB:.1f} are there for tensors; devices: {asked.devices}, "
        f"batch: {asked.batch_size} data of shape {asked.shape} over all of them, precision: {asked.precision}\n"
    )
    yield "| settings | weights | gradients | AdamW | average | step | together | batch in parts |"
    yield "|---|---|---|---|---|---|---|---|"
    fitting = []
    for setting in asked.settings():
        plan = asked.plan(setting)
        if plan is not None and plan.needs.total <= asked.limit:
            fitting.append(advice(setting, plan))
        yield row(asked, setting, plan)
    yield "\n" + next(iter(fitting), "Nothing fits: more devices, or a smaller network or datum.")


def row(asked: Asked, setting: Setting, plan: Plan | None) -> str:
    if plan is None:
        return f"| {words(setting)} | | | | | | more than {asked.kept(setting) / GIB:.1f} | does not fit |"
    each = plan.needs
    numbers = (each.weights, each.gradients, each.optimiser, each.averaged, each.step, each.total)
    parts = plan.parts if each.total <= asked.limit else "does not fit"
    return f"| {words(setting)} | {' | '.join(f'{one / GIB:.2f}' for one in numbers)} | {parts} |"


def advice(setting: Setting, plan: Plan) -> str:
    return (
        f"The first that fits: train.strategy: {'fsdp' if setting.sharded else 'auto'}, "
        f"train.checkpoint_activations: {str(setting.recomputed).lower()}, train.accumulate: {plan.parts}"
    )


def words(setting: Setting) -> str:
    strategy = "fsdp" if setting.sharded else "ddp" if setting.devices > 1 else "one device"
    return f"{strategy}, activations recomputed" if setting.recomputed else strategy


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number and at least 1, not {text!r}")
    return int(text)


def shape(text: str) -> tuple[int, ...]:
    return tuple(positive(side) for side in text.split(","))


def read() -> Asked:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=positive, default=1, help="how many (%(default)s)")
    parser.add_argument("--gib", type=float, default=80.0, help="memory of each, in GiB (%(default)s)")
    parser.add_argument(
        "--reserve", type=float, default=6.0, help="GiB for CUDA, NCCL and what lies idle between tensors (%(default)s)"
    )
    parser.add_argument("--network", help="as in params.yaml; the one there unless given")
    parser.add_argument(
        "--shape", type=shape, help="of a datum as the network sees it; the prepared data's unless given"
    )
    parser.add_argument("--labels", type=positive, help="how many; what the prepared data lie under unless given")
    parser.add_argument(
        "--tokens", type=shape, metavar="LENGTH,WIDTH", help="of a text, as its encoder has it, instead of labels"
    )
    parser.add_argument("--batch-size", type=positive, help="over all devices; train.batch_size unless given")
    parser.add_argument("--precision", default="bf16-mixed", choices=("bf16-mixed", "32-true"), help="(%(default)s)")
    chosen = parser.parse_args()
    settings = params.load()
    batch_size = chosen.batch_size or settings.train.batch_size
    if batch_size % chosen.devices:
        raise UserError(
            f"--devices {chosen.devices}: a batch of {batch_size} can't be divided evenly among {chosen.devices} "
            "processes: another number of devices, or another --batch-size"
        )
    if chosen.gib <= chosen.reserve:
        raise UserError(
            f"--gib {chosen.gib:g}: must be more than --reserve, {chosen.reserve:g}, which is not for tensors"
        )
    network = settings.network if chosen.network is None else section(chosen.network)
    told = told_of(chosen, parser)
    if chosen.shape is None or told is None:
        data = for_training(settings, prepared())
        told = told or (data.conditioner.fields, data.conditioner.read([None]))
        chosen.shape = chosen.shape or data.codec.shape
    asked = Asked(
        Network.of(network.choice),
        chosen.shape,
        *told,
        batch_size,
        chosen.devices,
        (chosen.gib - chosen.reserve) * GIB,
        chosen.precision,
    )
    try:
        with sizes_alone():
            asked.build()
    except ValueError as error:
        raise UserError(f"--network: {error}") from None
    return asked


def told_of(chosen: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[Mapping[str, Spec], Condition] | None:
    """What a network is told, and that of one datum; None where the prepared data say it."""
    if chosen.tokens is not None:
        if chosen.labels is not None or len(chosen.tokens) != 2:
            parser.error("--tokens: must be a length and a width, like 77,768, without --labels")
        length, width = chosen.tokens
        one = {TEXT: torch.zeros(1, length, width), MASK: torch.ones(1, length, dtype=torch.bool)}
        return {TEXT: Sequence(width, length)}, one
    if chosen.labels is None:
        return None
    labels = Labels(tuple(map(str, range(chosen.labels))))
    return labels.fields, labels.read([None])


def prepared() -> Prepared:
    """Raises PreparedError, with what does without."""
    try:
        return opened()
    except PreparedError as error:
        raise PreparedError(f"{error}; `make run` prepares it, and --shape 3,32,32 --labels 10 do without") from None


def section(text: str) -> Section:
    """What would be the section `network` of params.yaml. Raises UserError."""
    try:
        return Section.model_validate(yaml_reading.content(text), context={"own": ANY})
    except ValidationError as error:
        raise explained(error, "--network", Section) from None
    except ValueError as error:
        raise UserError(f"--network: {error}") from None


if __name__ == "__main__":
    run(main)
