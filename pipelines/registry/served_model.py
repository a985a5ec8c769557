"""What a registered model does when it is loaded: labels or texts in, images out.

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
from fm.conditions import Conditioner, Text
from fm.errors import shown
from fm.generator import Generator, NotFinite
from fm.images import png
from fm.pictures import pictures

GENERATOR = "generator"  # the artifact's name
LABEL, PROMPT, NEGATIVE = "label", "prompt", "negative"
ALL_LABELS = "all"
MOST_IMAGES = 1000  # of a request
MOST_STEPS = 1000
MOST_GUIDANCE = 100.0
FORMATS = ("array", "png", "labelled")


@dataclass(frozen=True)
class Request:
    """What a request asks of each row of its input; a param that is not given is the generator's own.

    Attributes:
        instead: what a row is under that has none of its own, by the names of the columns.
    """

    num_samples: int
    seed: int
    steps: int
    guidance: float
    format: str
    instead: Mapping[str, Any]

    @classmethod
    def of(cls, params: Mapping[str, Any], generator: Generator) -> "Request":
        """Raises MlflowException (400) for what cannot be, since MLflow's signature lets most of it through."""
        sampler, columns = generator.config.sampler, columns_of(generator.conditioner)
        for name in (LABEL, PROMPT, NEGATIVE):
            if name not in columns and params.get(name) is not None:
                raise refused(of_another_model(name, columns))
        return cls(
            num_samples=whole_number(params, "num_samples", 1, 1, MOST_IMAGES),
            seed=whole_number(params, "seed", 0, 0, 2**63 - 1),
            steps=whole_number(params, "steps", sampler.steps, 1, MOST_STEPS),
            guidance=scale(params, "guidance", sampler.scale),
            format=one_of(params, "format", FORMATS),
            instead={name: params.get(name) for name in columns},
        )


@dataclass(frozen=True)
class Wanted:
    """What a row asks for.

    Attributes:
        asked: what a label is called, or a text; none for all labels, or all example texts, in turn.
        negative: what guidance leads away from; none for "no condition".
    """

    asked: str | None
    negative: str | None = None


class ServedGenerator(PythonModel):  # type: ignore[misc]
    """Each row of the input asks for `num_samples` images of one label (fm.label_names), or of `all` in turn; of a
    model that knows texts, for images of a `prompt`, led away from a `negative` if it has one."""

    def load_context(self, context: PythonModelContext) -> None:
        # Who loads a model by MLflow runs the code that came with it: what is not the library's lies there too.
        folder = Path(context.artifacts[GENERATOR])
        if exported.is_there(folder):
            self.generator = exported.load(folder)
        else:
            self.generator = Generator.load(folder, own=ANY).to(devices.pick("auto"))
        if isinstance(self.generator.conditioner, Text):
            # Its encoder does not lie here. It is looked for now, and fetched if need be: a request would not wait.
            self.generator.conditioner.read(["a text"])

    # MLflow makes a schema of the hint of model_input, or warns; a DataFrame's alone it leaves in peace.
    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> NDArray[Any] | list[str] | list[dict[str, str | None]]:
        """Images of each row, one after the other; image i is made from the noise of sample i of `seed`.

        Args:
            model_input: rows with the column `label`, or `prompt` and `negative`, each of which may be left out: a
                DataFrame, a list of dicts, of labels or of prompts, or a dict of lists.
            params: as in the signature; what is a column too is for rows that have none of their own.

        Returns:
            Data as stored, uint8 (rows * num_samples, H, W, C) for images; for the format png a list of PNG files, in
            base64; for labelled each of them as `png` beside the name of its `label`, or its `prompt`.

        Raises:
            MlflowException: a request that cannot be met. The scoring server answers with status 400.
        """
        request = Request.of(params or {}, self.generator)
        columns = columns_of(self.generator.conditioner)
        wanted = [self.wanted(given(row, request)) for row in rows(model_input, columns)]
        if len(wanted) * request.num_samples > MOST_IMAGES:
            raise refused(
                f"{len(wanted)} rows of {request.num_samples} images are too many: a request may ask for "
                f"{MOST_IMAGES} in all; ask again with another seed for more"
            )
        parts = [self.images(request, number, row) for number, row in enumerate(wanted)]
        made = np.concatenate(parts)
        if request.format == "array":
            return made
        files = [base64.b64encode(png(image)).decode() for image in pictures(made, self.generator.codec)]
        if request.format == "png":
            return files
        each = [row.asked for row in wanted for _ in range(request.num_samples)]
        names = [self.name(asked, i) for i, asked in enumerate(each)]
        return [{columns[0]: name, "png": file} for name, file in zip(names, files, strict=True)]

    def images(self, request: Request, row: int, wanted: Wanted) -> NDArray[Any]:
        count, generator = request.num_samples, self.generator.away_from(wanted.negative)
        asked = None if wanted.asked is None else [wanted.asked] * count
        try:
            return generator.sample(
                count, request.seed, asked, request.steps, guidance=request.guidance, first_index=row * count
            )
        except NotFinite as error:
            raise refused(f"{error}; other steps or less guidance may do") from None
        except ValueError as error:  # guidance or a negative that it has no use for
            raise refused(str(error)) from None

    def wanted(self, row: Mapping[str, Any]) -> Wanted:
        """What a row asks for, each column once more said by the params where the row has none."""
        conditioner = self.generator.conditioner
        if isinstance(conditioner, Text):
            return Wanted(text_of(conditioner, row, PROMPT), text_of(conditioner, row, NEGATIVE))
        return Wanted(self.asked(row[LABEL]))

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

    def name(self, asked: str | None, index: int) -> str | None:
        """What the label of image `index` is called, or its text; none without either."""
        conditioner = self.generator.conditioner
        if asked is not None or not conditioner.examples:
            return asked
        (asked,) = conditioner.in_turn(1, index)
        return str(asked) if isinstance(conditioner, Text) else conditioner.called(asked)


def columns_of(conditioner: Conditioner) -> tuple[str, ...]:
    """What a row can have, the first of them what it is under."""
    return (PROMPT, NEGATIVE) if isinstance(conditioner, Text) else (LABEL,)


def of_another_model(column: str, columns: tuple[str, ...]) -> str:
    return f"{column}: this model knows no {'label' if column == LABEL else 'text'}; it has the column {columns[0]!r}"


def given(row: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """A row, with the params in the place of what it does not have."""
    filled = {name: row.get(name) for name in request.instead}
    for name, instead in request.instead.items():
        if missing(filled[name]):
            # By the params `all` is all in turn, whatever a label may be called.
            everything = name == LABEL and str(instead).casefold() == ALL_LABELS
            filled[name] = None if everything else instead
    return filled


def text_of(text: Text, row: Mapping[str, Any], name: str) -> str | None:
    """Raises MlflowException (400): it is too long, or no text."""
    if row[name] is None:
        return None
    try:
        return text.text(row[name])
    except ValueError as error:
        raise refused(f"{name}: {error}") from None


def rows(model_input: Any, columns: tuple[str, ...]) -> list[dict[Any, Any]]:
    """The input's rows, whichever of the forms that MLflow makes of a request it comes in.

    Args:
        columns: those that there are. What is no row but a value is of the first.
    """
    found = records(plain(model_input), columns[0])
    if not found:
        raise refused(f"the input has no row; give one for each {columns[0]}, or one without any: [{{}}]")
    for row in found:
        if unknown := [name for name in row if name not in columns]:
            if unknown[0] in (LABEL, PROMPT, NEGATIVE):
                raise refused(of_another_model(unknown[0], columns))
            names = " and ".join(map(repr, columns))
            only = f"{names} {'is the only one' if len(columns) == 1 else 'are the only ones'}"
            raise refused(f"the input has no column {shown(unknown[0])}: {only}, all else goes into params")
    return [{name: plain(value) for name, value in row.items()} for row in found]


def records(given: Any, column: str) -> list[dict[Any, Any]]:
    if given is None:
        return []
    if isinstance(given, pd.DataFrame):
        return list(given.to_dict("records"))
    if isinstance(given, Mapping):
        columns = {name: plain(value) for name, value in given.items()}
        lists = {name: value for name, value in columns.items() if isinstance(value, list)}
        counts = {len(value) for value in lists.values()} or {1}
        if len(counts) > 1:
            raise refused(f"the input's columns must be of one length, and are of {sorted(counts)}")
        (count,) = counts
        return [{**columns, **{name: value[row] for name, value in lists.items()}} for row in range(count)]
    if isinstance(given, list):
        return [dict(row) if isinstance(row, Mapping) else {column: row} for row in given]
    return [{column: given}]


def plain(value: Any) -> Any:
    """Python's own for what MLflow has turned into numpy's."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def missing(value: object) -> bool:
    """Whether a row has nothing in a column, where other rows may have something."""
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


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


def signature(codec: Codec, conditioner: Conditioner) -> ModelSignature:
    """What the model takes, and gives as the codec stores it.

    The input's columns are left out: of optional columns MLflow drops those it doesn't know, and loses the number of
    rows where none is left, without a word to who asked. `rows` checks them instead. Params that it doesn't know it
    drops too: what only other models take is among them, to be refused.
    """
    everything = None if isinstance(conditioner, Text) else ALL_LABELS
    return ModelSignature(
        outputs=Schema([TensorSpec(np.dtype(codec.dtype), (-1, *codec.stored))]),
        params=ParamSchema([
            ParamSpec("num_samples", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec(LABEL, DataType.string, everything),
            ParamSpec(PROMPT, DataType.string, None),
            ParamSpec(NEGATIVE, DataType.string, None),
            ParamSpec("steps", DataType.long, None),
            ParamSpec("guidance", DataType.double, None),
            ParamSpec("format", DataType.string, FORMATS[0]),
        ]),
    )  # fmt: skip


set_model(ServedGenerator())
