"""What a registered model does when it is loaded: `label` in, images out.

MLflow keeps this file as the model's code and runs it wherever the model is loaded. It needs `fm`, which travels
with the model, and nothing else of this project.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from fm import devices
from fm.generator import Generator
from fm.images import Images

GENERATOR = "generator"  # the artifact's name
ALL_LABELS = "all"


class ServedGenerator(PythonModel):  # type: ignore[misc]
    """Each row of the input asks for `num_samples` images of one label, by name or number, or of `all` in turn."""

    def load_context(self, context: PythonModelContext) -> None:
        self.generator = Generator.load(context.artifacts[GENERATOR]).to(devices.pick("auto"))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> Images:
        """uint8 (rows * num_samples, H, W, C), row after row. Image i is made from the noise of sample i of `seed`."""
        given = params or {}
        count = whole_number(given, "num_samples", 1, at_least=1)
        seed = whole_number(given, "seed", 0, at_least=0)
        steps = whole_number(given, "steps", self.generator.config.sampler.steps, at_least=1)
        wanted = [self.number(str(label)) for label in model_input["label"]]
        if not wanted:
            raise MlflowException.invalid_parameter_value("the input has no row; give one for each label")
        parts = [
            self.generator.sample(
                count, seed, None if label is None else [label] * count, steps=steps, first_index=row * count
            )
            for row, label in enumerate(wanted)
        ]
        return np.concatenate(parts)

    def number(self, label: str) -> int | None:
        """The number of a label; none for all labels in turn."""
        if label.casefold() == ALL_LABELS:
            return None
        try:
            return self.generator.label_number(label)
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(f"{error}, and {ALL_LABELS!r} for all in turn") from None


def whole_number(params: Mapping[str, Any], name: str, default: int, at_least: int) -> int:
    """MLflow's signature lets 1.5, true and numbers out of range through."""
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0 or value < at_least:
        raise MlflowException.invalid_parameter_value(
            f"{name} must be a whole number and at least {at_least}, not {value!r}"
        )
    return int(value)


def signature(channels: int, size: int) -> ModelSignature:
    """What the model takes and gives, for images of `size` x `size`."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "label")]),
        outputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, size, size, channels))]),
        params=ParamSchema([
            ParamSpec("num_samples", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec("steps", DataType.long, None),
        ]),
    )  # fmt: skip


set_model(ServedGenerator())
