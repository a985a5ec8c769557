"""What is the same for all methods of a comparison, and what is not: its first line."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.params.row import Method
from pipelines.schemas.train import TrainMetrics
from pipelines.words import method_in_text


@dataclass(frozen=True)
class Conditions:
    """Under what methods are compared.

    Attributes:
        same: what all have in common, in a few words; nothing where they have neither network nor budget.
        differences: what they have not, a phrase each.
    """

    same: str
    differences: list[str]

    def first_line(self, dataset: str, trainings: str) -> str:
        """Of the report, beside its headline.

        >>> Conditions("same network", ["b goes on from a"]).first_line("digits", "one training each")
        'digits, same network, one training each; b goes on from a'
        """
        return "; ".join([", ".join(filter(None, [dataset, self.same, trainings])), *self.differences])


ALIKE = Conditions("same network and budget", [])


def conditions(methods: Mapping[str, Method], train: Mapping[str, TrainMetrics], ours: str) -> Conditions:
    """By the rows of params.yaml and their trainings; networks are held against that of `ours`, or the first row's."""
    reference = ours if ours in methods else next(iter(methods))
    networks = [
        f"{method_in_text(method)} has {network(train[method], train[reference])}"
        for method in methods
        if identity(methods[method], train[method]) != identity(methods[reference], train[reference])
    ]
    budgets = [phrase for method, row in methods.items() if (phrase := budget(method, row, train[method])) is not None]
    same = ["network"] * (not networks) + ["budget"] * (not budgets)
    differences = [f"networks differ: {', '.join(networks)}"] if networks else []
    return Conditions(f"same {' and '.join(same)}" if same else "", differences + budgets)


def identity(row: Method, trained: TrainMetrics) -> tuple[object, ...]:
    """Equal for equal networks: what the objective adds, such as a second time, is in no setting of the network."""
    return row.network, trained.parameters, trained.flops


def network(own: TrainMetrics, other: TrainMetrics) -> str:
    if own.parameters != other.parameters:
        return f"{own.parameters:,} parameters instead of {other.parameters:,}"
    if own.flops != other.flops:
        return f"{own.flops:,} operations a call instead of {other.flops:,}"
    return "one of its own"


def budget(method: str, row: Method, trained: TrainMetrics) -> str | None:
    """What a method's network has seen beyond this training, where it goes on from another."""
    name = method_in_text(method)
    if (before := trained.before) is not None:
        images = f"{trained.images_seen_in_all:,} images instead of {trained.images_seen:,}"
        return f"{name} goes on from {method_in_text(before.method)}: {images}"
    if row.start_from is not None:
        return f"{name} goes on from {row.start_from}, whose own training is not counted"
    return None
