"""The page that comes with a registered model: what it is, how good it is, where it comes from, how to use it."""

import json
import shlex
from dataclasses import dataclass

from fm.generator import Config
from pipelines.params import Params
from pipelines.schemas import Evaluation, EvaluationRow, distance_key


@dataclass(frozen=True)
class Facts:
    """What the card is written from.

    Attributes:
        row: how the registered sampler did, one row of `evaluation`.
        lineage: the tags that say where it comes from.
        parameters: of the network.
        samples: where a sheet of samples lies, as a page that shows the card can reach it.
    """

    settings: Params
    method: str
    config: Config
    evaluation: Evaluation
    row: EvaluationRow
    lineage: dict[str, str]
    parameters: int
    samples: str


def card(facts: Facts) -> str:
    """Markdown."""
    sections = [
        introduction(facts),
        figures(facts),
        data(facts),
        method(facts),
        origin(facts),
        use(facts),
        limits(facts),
    ]
    return "\n\n".join(sections) + "\n"


def introduction(facts: Facts) -> str:
    image = facts.config.image
    labels = ", ".join(facts.config.label_names) or "none"
    colours = {1: "grey", 3: "colour"}.get(image.channels, f"{image.channels}-channel")
    return f"""\
# {facts.settings.register_.model_name}

Makes {colours} images of {image.size}×{image.size} pixels like those of {facts.settings.dataset.name}.
Labels: {labels}.

It is the best of the methods {", ".join(facts.settings.methods)} by {facts.settings.register_.metric} at
{facts.row.nfe} network evaluations an image: **{facts.method}**, sampled with {facts.row.solver} in
{facts.row.steps} steps.

![A sheet of samples, labels in turn]({facts.samples})"""


def figures(facts: Facts) -> str:
    row, evaluation = facts.row, facts.evaluation
    name = "" if evaluation.extractor == "inception" else ", so the distance is not FID"
    interval = f"{evaluation.confidence:.0%} interval {row.distance_low:.4g} to {row.distance_high:.4g}"
    rows = [
        (distance_key(evaluation.extractor), f"{row.distance:.4g} ({interval})"),
        ("the same, to the test split", f"{row.distance_test:.4g}"),
        ("the test split's own distance, the floor", f"{evaluation.floor:.4g}"),
        ("kernel distance", f"{row.kid:.3g} ({row.kid_low:.3g} to {row.kid_high:.3g})"),
        ("precision, recall", f"{row.precision:.3f}, {row.recall:.3f}"),
    ]
    if row.accuracy is not None:
        rows.append(("images recognised as the label asked for", f"{row.accuracy:.1%}"))
    rows.append(("seconds an image, where it was measured", f"{row.seconds_per_image:.2g}"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"""\
## How good it is

{evaluation.num_sets} independent sets of {evaluation.num_images} images, against the {evaluation.reference}; features
of the extractor `{evaluation.extractor}`{name}. \
Only figures of the same protocol can be compared.

| measure | value |
|---|---|
{table}"""


def data(facts: Facts) -> str:
    dataset, image = facts.settings.dataset, facts.config.image
    where = f", from `{dataset.path}`" if dataset.name == "image-folder" else ""
    return f"""\
## Data

| | |
|---|---|
| dataset | {dataset.name}{where} |
| licence of the images | {dataset.licence or "not given"} |
| as the network sees them | {image.size}×{image.size}, {image.channels} channel{"s" if image.channels > 1 else ""} |
| version (DVC) | `{facts.lineage.get("data.md5", "unknown")}` |"""


def method(facts: Facts) -> str:
    settings = facts.settings
    objective = settings.methods[facts.method].objective
    network = ", ".join(f"{key} {value}" for key, value in settings.network_of(facts.method).sizes().items())
    return f"""\
## Method

Path {objective.path}, coupling {objective.coupling}, timesteps {objective.timesteps}, target {objective.target}, weight
{objective.weight}. A network of {facts.parameters:,} weights ({network}), trained on {settings.train.images_seen:,}
images in batches of {settings.train.batch_size}, seed {settings.train.seed}, weights averaged."""


def origin(facts: Facts) -> str:
    lines = "\n".join(f"| {name} | `{value}` |" for name, value in sorted(facts.lineage.items()))
    return f"""\
## Where it comes from

| | |
|---|---|
{lines}"""


def use(facts: Facts) -> str:
    label = facts.config.label_names[0] if facts.config.label_names else "all"
    name = facts.settings.register_.model_name
    chosen = f"--label {shlex.quote(label)} " if facts.config.label_names else ""
    quoted = shlex.quote(
        json.dumps({"dataframe_records": [{}], "params": {"label": label, "num_samples": 4, "format": "png"}})
    )
    return f"""\
## How to use it

From Python, with nothing of the project:

```python
import mlflow, pandas

model = mlflow.pyfunc.load_model("models:/{name}@champion")
images = model.predict(pandas.DataFrame({{"label": ["{label}"]}}), params={{"num_samples": 8, "seed": 0}})
```

By HTTP, from `make serve`:

```sh
curl http://127.0.0.1:5001/invocations -H "Content-Type: application/json" -d {quoted}
```

As files, in the project:

```sh
.venv/bin/python -m pipelines.generate {chosen}--count 1000 --out samples/
```

`label` is a label's name or number, or `all`; `steps`, `guidance` and `seed` can be given. Images come as uint8
(number, height, width, channels), or with `format` `png` as PNG files in base64. The same seed gives the same
images."""


def limits(facts: Facts) -> str:
    return f"""\
## Limits

It knows {facts.settings.dataset.name} and nothing else, and repeats whatever leanings those images have. Some images
are not recognisable; whether some are near copies of training images is shown in the report of its run. The figures
above hold for this sampler and one training seed; other steps or solvers have their own."""
