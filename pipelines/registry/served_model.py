"""What a registered model does when it is loaded: labels in, images out.

MLflow keeps this file as the model's code and runs it wherever the model is loaded. It needs `fm`, which travels
with the model, and nothing else of this project.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from numpy.typing import NDArray

from fm import devices, exported
from fm.codecs import Codec
from fm.components import ANY
from fm.errors import shown
from fm.generator import Generator, NotFinite
from fm.images import png
from fm.pictures import pictures

GENERATOR = "generator"  # the artifact's name
LABEL = "label"
ALL_LABELS = "all"
MOST_IMAGES = 1000  # of a request
MOST_STEPS = 1000
MOST_GUIDANCE = 100.0
FORMATS = ("array", "png", "labelled")


@dataclass(frozen=True)
class Request:
    """What a request asks of each row of its input; a param that is not given is the generator's own."""

    num_samples: int
    seed: int
    steps: int
    guidance: float
    format: str
    label: str | None

    @classmethod
    def of(cls, params: Mapping[str, Any], generator: Generator) -> "Request":
        """Raises MlflowException (400) for what cannot be, since MLflow's signature lets most of it through."""
        sampler = generator.config.sampler
        return cls(
            num_samples=whole_number(params, "num_samples", 1, 1, MOST_IMAGES),
            seed=whole_number(params, "seed", 0, 0, 2**63 - 1),
            steps=whole_number(params, "steps", sampler.steps, 1, MOST_STEPS),
            guidance=scale(params, "guidance", sampler.scale),
            format=one_of(params, "format", FORMATS),
            label=label_of(params),
        )


class ServedGenerator(PythonModel):  # type: ignore[misc]
    """Each row of the input asks for `num_samples` images of one label (fm.label_names), or of `all` in turn."""

    def load_context(self, context: PythonModelContext) -> None:
        # Who loads a model by MLflow runs the code that came with it: what is not the library's lies there too.
        folder = Path(context.artifacts[GENERATOR])
        if exported.is_there(folder):
            self.generator = exported.load(folder)
        else:
            self.generator = Generator.load(folder, own=ANY).to(devices.pick("auto"))

    # MLflow makes a schema of the hint of model_input, or warns; a DataFrame's alone it leaves in peace.
    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> NDArray[Any] | list[str] | list[dict[str, str | None]]:
        """Images of each row, one after the other; image i is made from the noise of sample i of `seed`.

        Args:
            model_input: rows with the column `label`, which may be left out: a DataFrame, a list of dicts or of labels,
                or a dict of lists.
            params: as in the signature; `label` is for rows that have none of their own.

        Returns:
            Data as stored, uint8 (rows * num_samples, H, W, C) for images; for the format png a list of PNG files, in
            base64; for labelled each of them as `png` beside the name of its `label`.

        Raises:
            MlflowException: a request that cannot be met. The scoring server answers with status 400.
        """
        request = Request.of(params or {}, self.generator)
        labels = [row.get(LABEL) for row in rows(model_input)]
        wanted = [self.asked(request.label if missing(label) else label) for label in labels]
        if len(wanted) * request.num_samples > MOST_IMAGES:
            raise refused(
                f"{len(wanted)} rows of {request.num_samples} images are too many: a request may ask for "
                f"{MOST_IMAGES} in all; ask again with another seed for more"
            )
        parts = [self.images(request, row, label) for row, label in enumerate(wanted)]
        made = np.concatenate(parts)
        if request.format == "array":
            return made
        files = [base64.b64encode(png(image)).decode() for image in pictures(made, self.generator.codec)]
        if request.format == "png":
            return files
        each = [label for label in wanted for _ in range(request.num_samples)]
        names = [self.name(label, i) for i, label in enumerate(each)]
        return [{LABEL: name, "png": file} for name, file in zip(names, files, strict=True)]

    def images(self, request: Request, row: int, label: str | None) -> NDArray[Any]:
        count = request.num_samples
        labels = None if label is None else [label] * count
        try:
            return self.generator.sample(
                count, request.seed, labels, request.steps, guidance=request.guidance, first_index=row * count
            )
        except NotFinite as error:
            raise refused(f"{error}; other steps or less guidance may do") from None

    def asked(self, label: object) -> str | None:
        """What a label is called; none for all labels in turn."""
        if label is None:
            return None
        if isinstance(label, float) and label.is_integer():
            label = int(label)
        text, names = str(label), self.generator.conditioner.choices
        if text.casefold() == ALL_LABELS and ALL_LABELS not in (name.casefold() for name in names):
            return None
        try:
            return self.generator.conditioner.called(text)
        except ValueError as error:
            if not names:
                raise refused(
                    f"no label {shown(text)}: this model has no labels; leave it out or say {ALL_LABELS!r}"
                ) from None
            raise refused(f"{error}, and {ALL_LABELS!r} for all in turn") from None

    def name(self, label: str | None, index: int) -> str | None:
        """What the label of image `index` is called; none without labels."""
        conditioner = self.generator.conditioner
        if label is not None or not conditioner.choices:
            return label
        return conditioner.called(conditioner.in_turn(1, index)[0])


def label_of(params: Mapping[str, Any]) -> str | None:
    """What rows without a label of their own get; none for all labels in turn, whatever a label may be called."""
    label = params.get(LABEL)
    return None if label is None or str(label).casefold() == ALL_LABELS else str(label)


def rows(model_input: Any) -> list[dict[Any, Any]]:
    """The input's rows, whichever of the forms that MLflow makes of a request it comes in."""
    found = records(plain(model_input))
    if not found:
        raise refused("the input has no row; give one for each label, or one without any: [{}]")
    for row in found:
        if unknown := [name for name in row if name != LABEL]:
            raise refused(
                f"the input has no column {shown(unknown[0])}: {LABEL!r} is the only one, all else goes into params"
            )
    return [{name: plain(value) for name, value in row.items()} for row in found]


def records(given: Any) -> list[dict[Any, Any]]:
    if given is None:
        return []
    if isinstance(given, pd.DataFrame):
        return list(given.to_dict("records"))
    if isinstance(given, Mapping):
        if LABEL not in given:
            return [dict(given)]
        column = plain(given[LABEL])
        return [{**given, LABEL: label} for label in (column if isinstance(column, list) else [column])]
    if isinstance(given, list):
        return [dict(row) if isinstance(row, Mapping) else {LABEL: row} for row in given]
    return [{LABEL: given}]


def plain(value: Any) -> Any:
    """Python's own for what MLflow has turned into numpy's."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def missing(label: object) -> bool:
    """Whether a row has no label, where other rows may have one."""
    return label is None or label is pd.NA or (isinstance(label, float) and np.isnan(label))


def whole_number(params: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0 or not least <= value <= most:
        raise refused(f"{name} must be a whole number from {least} to {most}, not {shown(value)}")
    return int(value)


def scale(params: Mapping[str, Any], name: str, default: float) -> float:
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST_GUIDANCE:
        raise refused(f"{name} must be a number above 0, at most {MOST_GUIDANCE:g}, not {shown(value)}; 1 means none")
    return float(value)


def one_of(params: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = params.get(name)
    if value is None:
        return known[0]
    if value not in known:
        raise refused(f"{name} must be {' or '.join(known)}, not {shown(value)}")
    return str(value)


def refused(message: str) -> MlflowException:
    """What the scoring server answers with status 400."""
    return MlflowException.invalid_parameter_value(message)


def signature(codec: Codec) -> ModelSignature:
    """What the model takes, and gives as the codec stores it.

    The input's one column, `label`, is left out: of optional columns MLflow drops those it doesn't know, and loses the
    number of rows where none is left, without a word to who asked. `rows` checks them instead.
    """
    return ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(codec.dtype), (-1, *codec.stored))]),
        params=ParamSchema([
            ParamSpec("num_samples", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec(LABEL, DataType.string, ALL_LABELS),
            ParamSpec("steps", DataType.long, None),
            ParamSpec("guidance", DataType.double, None),
            ParamSpec("format", DataType.string, FORMATS[0]),
        ]),
    )  # fmt: skip


set_model(ServedGenerator())
