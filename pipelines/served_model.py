"""What a registered model does when it is loaded: labels in, images out.

MLflow keeps this file as the model's code and runs it wherever the model is loaded. It needs `fm`, which travels
with the model, and nothing else of this project.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType

from fm import devices
from fm.generator import Generator
from fm.images import Images, png

GENERATOR = "generator"  # the artifact's name
ALL_LABELS = "all"
MOST_IMAGES = 1000  # of a request
MOST_STEPS = 1000
MOST_GUIDANCE = 100.0
FORMATS = ("array", "png")


@dataclass(frozen=True)
class Request:
    """What a request asks of each row of its input; a param that is not given is the generator's own."""

    num_samples: int
    seed: int
    steps: int
    guidance: float
    format: str
    label: object

    @classmethod
    def of(cls, params: Mapping[str, Any], generator: Generator) -> "Request":
        """Raises MlflowException (400) for what cannot be, since MLflow's signature lets most of it through."""
        sampler = generator.config.sampler
        return cls(
            num_samples=whole_number(params, "num_samples", 1, 1, MOST_IMAGES),
            seed=whole_number(params, "seed", 0, 0, 2**63 - 1),
            steps=whole_number(params, "steps", sampler.steps, 1, MOST_STEPS),
            guidance=scale(params, "guidance", sampler.guidance),
            format=one_of(params, "format", FORMATS),
            label=ALL_LABELS if params.get("label") is None else params["label"],
        )


class ServedGenerator(PythonModel):  # type: ignore[misc]
    """Each row of the input asks for `num_samples` images of one label, by name or number, or of `all` in turn."""

    def load_context(self, context: PythonModelContext) -> None:
        self.generator = Generator.load(context.artifacts[GENERATOR]).to(devices.pick("auto"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> Images | list[str]:
        """Images of each row, one after the other; image i is made from the noise of sample i of `seed`.

        Returns:
            uint8 (rows * num_samples, H, W, C); for the format png a list of PNG files, in base64.
        """
        request = Request.of(params or {}, self.generator)
        # MLflow forgets how many rows there were where none has a column it knows.
        labels = list(model_input["label"]) if "label" in model_input else [None]
        if not labels:
            raise refused("the input has no row; give one for each label, or one without any: [{}]")
        wanted = [self.number(request.label if missing(label) else label) for label in labels]
        if len(wanted) * request.num_samples > MOST_IMAGES:
            raise refused(
                f"{len(wanted)} rows of {request.num_samples} images are too many: a request may ask for "
                f"{MOST_IMAGES} in all; ask again with another seed for more"
            )
        parts = [self.images(request, row, label) for row, label in enumerate(wanted)]
        made = np.concatenate(parts)
        return [base64.b64encode(png(image)).decode() for image in made] if request.format == "png" else made

    def images(self, request: Request, row: int, label: int | None) -> Images:
        count = request.num_samples
        labels = None if label is None else [label] * count
        return self.generator.sample(
            count, request.seed, labels, request.steps, guidance=request.guidance, first_index=row * count
        )

    def number(self, label: object) -> int | None:
        """The number of a label; none for all labels in turn."""
        if isinstance(label, float) and label.is_integer():
            label = int(label)
        text = str(label)
        if text.casefold() == ALL_LABELS:
            return None
        try:
            return self.generator.label_number(text)
        except ValueError as error:
            raise refused(f"{error}, and {ALL_LABELS!r} for all in turn") from None


def missing(label: object) -> bool:
    """Whether a row of a table has no label, where other rows may have one."""
    return label is None or (isinstance(label, float) and np.isnan(label))


def whole_number(params: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0 or not least <= value <= most:
        raise refused(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return int(value)


def scale(params: Mapping[str, Any], name: str, default: float) -> float:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_GUIDANCE:
        raise refused(f"{name} must be a number above 0, at most {MOST_GUIDANCE:g}, not {value!r}; 1 means none")
    return float(value)


def one_of(params: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = params.get(name)
    if value is None:
        return known[0]
    if value not in known:
        raise refused(f"{name} must be {' or '.join(known)}, not {value!r}")
    return str(value)


def refused(message: str) -> MlflowException:
    """What the scoring server answers with status 400."""
    return MlflowException.invalid_parameter_value(message)


def signature(channels: int, size: int) -> ModelSignature:
    """What the model takes and gives, for images of `size` x `size`."""
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), "label", required=False)]),
        outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, size, size, channels))]),
        params=ParamSchema([
            ParamSpec("num_samples", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec("label", DataType.string, ALL_LABELS),
            ParamSpec("steps", DataType.long, None),
            ParamSpec("guidance", DataType.double, None),
            ParamSpec("format", DataType.string, FORMATS[0]),
        ]),
    )  # fmt: skip


set_model(ServedGenerator())
