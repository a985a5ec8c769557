"""The page that comes with a registered model: what it is, how good it is, where it comes from, how to use it."""

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
    """

    settings: Params
    method: str
    config: Config
    evaluation: Evaluation
    row: EvaluationRow
    lineage: dict[str, str]


def card(facts: Facts) -> str:
    """Markdown."""
    sections = [introduction(facts), figures(facts), origin(facts), use(facts), limits(facts)]
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
{facts.row.steps} steps."""


def figures(facts: Facts) -> str:
    row, evaluation = facts.row, facts.evaluation
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
of the extractor `{evaluation.extractor}`. Only figures of the same protocol can be compared.

| measure | value |
|---|---|
{table}"""


def origin(facts: Facts) -> str:
    objective = facts.settings.methods[facts.method].objective
    train = facts.settings.train
    lines = "\n".join(f"| {name} | `{value}` |" for name, value in sorted(facts.lineage.items()))
    return f"""\
## Where it comes from

Path {objective.path}, coupling {objective.coupling}, timesteps {objective.timesteps}, target {objective.target}, weight
{objective.weight}; trained on {train.images_seen} images in batches of {train.batch_size}, seed {train.seed}.

| | |
|---|---|
{lines}"""


def use(facts: Facts) -> str:
    example = facts.config.label_names[0] if facts.config.label_names else "all"
    return f"""\
## How to use it

```python
import mlflow, pandas

model = mlflow.pyfunc.load_model("models:/{facts.settings.register_.model_name}@champion")
images = model.predict(pandas.DataFrame({{"label": ["{example}"]}}), params={{"num_samples": 8, "seed": 0}})
```

`label` is a label's name or number, or `all`. Images come as uint8 (number, height, width, channels); the same seed
gives the same images."""


def limits(facts: Facts) -> str:
    return f"""\
## Limits

It knows {facts.settings.dataset.name} and nothing else, and repeats whatever leanings those images have. Some images
are not recognisable. The figures above hold for this sampler; other steps or solvers have their own."""
