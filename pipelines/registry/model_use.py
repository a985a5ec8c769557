"""How to use a registered model: the card's pages for Python, HTTP and the command line."""

import json
import shlex
from dataclasses import dataclass

from fm.codecs import Codec
from fm.conditions import Conditioner, Given, Text
from pipelines.params import Part

PORT = 5001  # the MLflow UI has 5000
LONGEST = 200  # characters of what an example asks for


@dataclass(frozen=True)
class Example:
    """What the examples ask for.

    Attributes:
        column: what it is called in a request and on the command line; none where nothing can be asked for.

    >>> Example("label", "Bag").row, Example(None).row
    ({'label': 'Bag'}, {})
    """

    column: str | None
    value: str = ""

    @classmethod
    def of(cls, conditioner: Conditioner) -> "Example":
        value = next((one for one in conditioner.examples if one.isprintable() and len(one) <= LONGEST), None)
        if isinstance(conditioner, Text):
            return cls("prompt", value or "a text")
        return cls(None) if value is None else cls("label", value)

    @property
    def row(self) -> dict[str, str]:
        return {} if self.column is None else {self.column: self.value}


def instructions(name: str, conditioner: Conditioner, codec: Codec, things: str) -> str:
    """Markdown. What the examples ask for is one of the conditioner's own.

    Args:
        things: what it makes, as people call it.
    """
    example = Example.of(conditioner)
    parts = [
        from_python(name, example, stored(codec), things),
        by_http(name, example, things, as_lists(codec)),
        on_the_command_line(example, things),
    ]
    if isinstance(conditioner, Given):
        parts.insert(0, completing(name, conditioner, codec))
    return "\n\n".join(["## How to use it", *parts])


def completing(name: str, given: Given, codec: Codec) -> str:
    missing = ", NaN or masked where nothing was observed" if given.name == "observed" else ""
    return f"""\
It completes data, of which it is given {given.says} (`{Part.of(given).in_words}`). They are brought whole, as \
they are stored, (number, {", ".join(map(str, codec.stored))}){missing}:

```sh
.venv/bin/python -m pipelines.generate --model {name}@champion --given data.npy --count 64 --out completed.png
```

and from Python by `sample(8, seed=0, labels=[datum] * 8)`, as below. All else here gives it nothing, the endpoint \
can give it nothing, and what it makes then was not measured."""


def stored(codec: Codec) -> str:
    """What a call gives, in words."""
    if codec.dtype == "uint8" and len(codec.stored) == 3:
        return "Images are uint8 (number, height, width, channels)"
    return f"Data are {codec.dtype} (number, {', '.join(map(str, codec.stored))})"


def as_lists(codec: Codec) -> str:
    """What a list in an answer has, in words."""
    if codec.dtype == "uint8" and len(codec.stored) == 3:
        return "(height, width, channels), 0 to 255"
    return f"({', '.join(map(str, codec.stored))}), as the data are stored"


def from_python(name: str, example: Example, data: str, things: str) -> str:
    return f"""\
From Python, with the store of `MLFLOW_TRACKING_URI`, or the `mlflow.db` of the folder you are in:

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{name}@champion")
{things} = model.predict([{json.dumps(example.row)}], params={{"num_samples": 8, "seed": 0}})
```

Without MLflow's wrapping, where `fm` can be imported; and the solver can be chosen too:

```python
from fm import Generator

folder = mlflow.artifacts.download_artifacts("models:/{name}@champion/artifacts/generator")
{things} = Generator.load(folder).sample(8, seed=0)
```

`load_model` runs the model's code unseen; `make serve` checks it first.

{data}. `@champion` is the version in use now; a number, as in \
`models:/{name}/1`, names one for good."""


def by_http(name: str, example: Example, things: str, nested: str) -> str:
    asked, parameters = (ROWS_OF_TEXTS, PARAMETERS_OF_TEXTS) if example.column == "prompt" else (ROWS, PARAMETERS)
    return f"""\
By HTTP: `make serve` in a checkout of the project, or wherever the packages of the model's `requirements.txt` are:

```sh
mlflow models serve -m models:/{name}@champion --env-manager local --port {PORT}
curl -s http://127.0.0.1:{PORT}/invocations -H 'Content-Type: application/json' \\
    -d {shlex.quote(request(example))}
```

The answer is `{{"predictions": [...]}}`, a list of {things}. Each row of `inputs` asks for `num_samples` \
{things} of its {asked} `{{}}` is a row without one.

| parameter | | without it |
|---|---|---|
| `num_samples` | {things} a row; 1,000 in all at most | 1 |
| `seed` | from 0 to 2^63 − 1; the same seed gives the same {things} | 0 |
{parameters}
| `steps` | of the solver, 1 to 1,000 | as measured above |
| `guidance` | scale of guidance, above 0, 100 at most; 1 means none | as measured above |
| `format` | `labelled`: `{example.column or "label"}`, the one taken, and `png`, a file in base64; `png`: the files \
alone; `array`: nested lists, {nested} | `array` |

What cannot be is answered with status 400 and the reason. But MLflow itself drops parameters of other names, with a \
warning in its log only. It gives up on answers that take more than 60 s: `--timeout` sets that."""


ROWS = """\
`label`, a name; a number names the label of that value, and only where no label is called by a number is it an index, \
from 0."""
ROWS_OF_TEXTS = """\
`prompt`, a text of 10,000 characters at most, and is led away from its `negative`, another, where guidance is not 1. \
The encoder of texts is not among the model's files: it is looked for where `FM_ENCODERS` says, and what is loaded \
without it says where it has looked."""
PARAMETERS = """\
| `label` | for rows without one: a name, a number in quotes, or `all` for all in turn | `all` |"""
PARAMETERS_OF_TEXTS = """\
| `prompt` | for rows without one | the texts above in turn |
| `negative` | for rows without one | no text |"""


def request(example: Example) -> str:
    """A request's body."""
    params = {"num_samples": 4, "seed": 0, "format": "png"}
    return json.dumps({"inputs": [example.row], "params": params}, ensure_ascii=False)


def on_the_command_line(example: Example, things: str) -> str:
    wanted = "" if example.column is None else f"--{example.column}={shlex.quote(example.value)} "
    return f"""\
As files, in a checkout of the project:

```sh
.venv/bin/python -m pipelines.generate {wanted}--count 64 --out {things}.png
.venv/bin/python -m pipelines.generate {wanted}--count 1000 --out samples/
```"""
