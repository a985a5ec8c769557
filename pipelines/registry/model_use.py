"""How to use a registered model: the card's pages for Python, HTTP and the command line."""

import json
import shlex

PORT = 5001  # the MLflow UI has 5000


def instructions(name: str, label: str | None) -> str:
    """Markdown. `label` is the one that the examples ask for, none for a model without labels."""
    return "\n\n".join(["## How to use it", from_python(name, label), by_http(name, label), on_the_command_line(label)])


def from_python(name: str, label: str | None) -> str:
    row = {} if label is None else {"label": label}
    return f"""\
From Python, with the store of `MLFLOW_TRACKING_URI`, or the `mlflow.db` of the folder you are in:

```python
import mlflow

model = mlflow.pyfunc.load_model("models:/{name}@champion")
images = model.predict([{json.dumps(row)}], params={{"num_samples": 8, "seed": 0}})
```

Without MLflow's wrapping, where `fm` can be imported; and the solver can be chosen too:

```python
from fm import Generator

folder = mlflow.artifacts.download_artifacts("models:/{name}@champion/artifacts/generator")
images = Generator.load(folder).sample(8, seed=0)
```

`load_model` runs the model's code unseen; `make serve` checks it first.

Images are uint8 (number, height, width, channels). `@champion` is the version in use now; a number, as in \
`models:/{name}/1`, names one for good."""


def by_http(name: str, label: str | None) -> str:
    return f"""\
By HTTP: `make serve` in a checkout of the project, or wherever the packages of the model's `requirements.txt` are:

```sh
mlflow models serve -m models:/{name}@champion --env-manager local --port {PORT}
curl -s http://127.0.0.1:{PORT}/invocations -H 'Content-Type: application/json' \\
    -d {shlex.quote(request(label))}
```

The answer is `{{"predictions": [...]}}`, a list of images. Each row of `inputs` asks for `num_samples` images of its \
`label`, a name; a number names the label of that value, and only where no label is called by a number is it an index, \
from 0. `{{}}` is a row without one.

| parameter | | without it |
|---|---|---|
| `num_samples` | images a row; 1,000 in all at most | 1 |
| `seed` | from 0 to 2^63 − 1; the same seed gives the same images | 0 |
| `label` | for rows without one: a name, a number in quotes, or `all` for all in turn | `all` |
| `steps` | of the solver, 1 to 1,000 | as measured above |
| `guidance` | scale of guidance, above 0, 100 at most; 1 means none | as measured above |
| `format` | `labelled`: `label`, the one taken, and `png`, a file in base64; `png`: the files alone; `array`: nested \
lists, (height, width, channels), 0 to 255 | `array` |

What cannot be is answered with status 400 and the reason. But MLflow itself drops parameters of other names, with a \
warning in its log only. It gives up on answers that take more than 60 s: `--timeout` sets that."""


def request(label: str | None) -> str:
    """A request's body."""
    row = {} if label is None else {"label": label}
    return json.dumps({"inputs": [row], "params": {"num_samples": 4, "seed": 0, "format": "png"}}, ensure_ascii=False)


def on_the_command_line(label: str | None) -> str:
    wanted = "" if label is None else f"--label={shlex.quote(label)} "
    return f"""\
As files, in a checkout of the project:

```sh
.venv/bin/python -m pipelines.generate {wanted}--count 64 --out images.png
.venv/bin/python -m pipelines.generate {wanted}--count 1000 --out samples/
```"""
