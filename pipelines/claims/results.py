"""What the earlier stages have measured, read back, and the roles that methods have in the claims about it."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.params import Roles
from pipelines.project import METRICS
from pipelines.ranking import read_evaluations
from pipelines.schemas.codec import CodecMetrics
from pipelines.schemas.encode import EncodeMetrics
from pipelines.schemas.evaluation import Evaluation
from pipelines.schemas.features import FeatureMetrics
from pipelines.schemas.probes import MethodProbe, Probes
from pipelines.schemas.train import TrainMetrics
from pipelines.words import method_in_text


@dataclass(frozen=True)
class Results:
    """What the earlier stages measured, method by method.

    Attributes:
        codec: of the latents that networks are trained on, where they are.
        encode: of what was made of the data before any method was trained on it, where something was.
    """

    roles: Roles
    train: dict[str, TrainMetrics]
    evaluations: dict[str, Evaluation]
    probes: Probes
    classifier_accuracy: float | None
    codec: CodecMetrics | None = None
    encode: EncodeMetrics | None = None

    @property
    def encoding_seconds(self) -> float:
        """Spent once for all methods, on making of the data what networks see."""
        return sum(one.seconds for one in (self.codec, self.encode) if one is not None)

    @property
    def both(self) -> tuple[str, str]:
        """Ours and the baseline, by their names in params.yaml."""
        return self.roles.ours, self.roles.baseline

    @property
    def names(self) -> tuple[str, str]:
        """Ours and the baseline, as sentences call them."""
        return method_in_text(self.roles.ours), method_in_text(self.roles.baseline)

    @property
    def pair(self) -> tuple[Evaluation, Evaluation]:
        """Ours and the baseline, as they were evaluated."""
        ours, baseline = self.both
        return self.evaluations[ours], self.evaluations[baseline]

    @property
    def probed(self) -> tuple[MethodProbe, MethodProbe]:
        """Ours and the baseline, as they were measured side by side."""
        ours, baseline = self.both
        return self.probes.methods[ours], self.probes.methods[baseline]


def read(methods: Sequence[str], roles: Roles, metrics: Path = METRICS, further: Container[str] = ()) -> Results:
    """The metrics of these methods and of no other: a file of a removed method may still lie there.

    Args:
        further: the stages that there were beside the usual ones (pipelines.further_stages).
    """
    return Results(
        roles=roles,
        train=read_trainings(methods, metrics),
        evaluations=read_evaluations(methods, metrics),
        probes=Probes.of_stage(metrics / "probes.json"),
        classifier_accuracy=FeatureMetrics.of_stage(metrics / "features.json").test_accuracy,
        codec=CodecMetrics.of_stage(metrics / "codec.json") if "codec" in further else None,
        encode=EncodeMetrics.of_stage(metrics / "encode.json") if "encode" in further else None,
    )


def read_trainings(methods: Sequence[str], metrics: Path = METRICS) -> dict[str, TrainMetrics]:
    return {method: TrainMetrics.of_stage(metrics / "train" / f"{method}.json") for method in methods}
