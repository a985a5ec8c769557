"""The page that comes with a registered model: what it is, how it was made and measured, what it cannot do."""

from dataclasses import dataclass
from pathlib import Path

from fm.codecs import Codec
from fm.components import parts
from fm.conditions import Conditioner, Given, Text
from fm.config import Config
from pipelines.markup import literal
from pipelines.params import Params, Part
from pipelines.params.sections import IN_FILES
from pipelines.registry.model_use import instructions
from pipelines.registry.wording import in_words
from pipelines.schemas.comparison import Things, one_of
from pipelines.schemas.evaluation import Evaluation, EvaluationRow, FigureOfData, FigureOfSets, distance_key
from pipelines.schemas.machine import Load
from pipelines.schemas.prepare import PrepareMetrics
from pipelines.schemas.train import TrainMetrics
from pipelines.words import duration, in_turn, number, percent, with_interval

LONGEST = 5000  # characters in the description of a model's version: PostgreSQL holds MLflow to it, SQLite does not

CRPS = "how far completions are from what is there (CRPS, in deviations of the data)"


@dataclass(frozen=True)
class Facts:
    """What the card is written from.

    Attributes:
        parameters: the network's, counted.
        prepared: what the dataset has become, if it is still known.
        trained: what the training took, if it is still known.
        row: how the registered sampler did, one row of `evaluation`.
        decided_by: the metric that chose it.
        lineage: the tags that say where it comes from.
    """

    settings: Params
    method: str
    config: Config
    parameters: int
    prepared: PrepareMetrics | None
    trained: TrainMetrics | None
    evaluation: Evaluation
    row: EvaluationRow
    decided_by: str
    lineage: dict[str, str]

    @property
    def conditioner(self) -> Conditioner:
        return Conditioner.of(self.config.conditioner)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the labels."""
        return self.conditioner.choices

    @property
    def things(self) -> Things:
        """What it makes, as people call it."""
        return self.settings.dataset.things

    @property
    def metric(self) -> str:
        return distance_key(self.evaluation.extractor)


def card(facts: Facts, samples: str) -> str:
    """Markdown with a line for each paragraph, since MLflow's pages break lines where the text does.

    `samples` is where the page that shows it finds the picture.
    """
    conditioner = facts.conditioner
    name = facts.settings.register_.model_name
    sections = [
        introduction(facts),
        f"![{facts.things} by this model]({samples})\n\n{caption(conditioner, samples)}",
        figures(facts),
        limits(facts),
        instructions(name, conditioner, Codec.of(facts.config.codec), facts.things),
        data(facts),
        method(facts),
        origin(facts),
    ]
    return "\n\n".join(sections) + "\n"


def shortened(page: str, file: str, longest: int = LONGEST) -> str:
    """A card without as many of its last sections as there is no room for, and where to find the whole of it."""
    if len(page) <= longest:
        return page
    rest = f"\n\nThe rest is in `{file}` among the model's artifacts.\n"
    room = page[: longest - len(rest)]
    return room[: room.rfind("\n\n## ")] + rest


def introduction(facts: Facts) -> str:
    row = facts.row
    return f"""\
# {literal(facts.settings.register_.model_name)}

Makes {kind(Codec.of(facts.config.codec))} like those of {dataset_name(facts.settings)}.

It is **{facts.method}**, sampled with {row.solver} in {row.steps} steps, which are {row.nfe} calls of the network \
{one_of(facts.things)}: the best by {facts.decided_by} at {row.nfe} calls among {", ".join(facts.settings.methods)}."""


def kind(codec: Codec) -> str:
    """What is made: `grey images of 28×28 pixels`."""
    if codec.dtype != "uint8" or len(codec.stored) != 3:
        return f"data of the shape {'×'.join(map(str, codec.stored))} ({codec.dtype})"
    height, width, channels = codec.stored
    colours = {1: "grey", 3: "colour"}.get(channels, f"{channels}-channel")
    return f"{colours} images of {width}×{height} pixels"


def dataset_name(settings: Params) -> str:
    """What people call it; where a folder lies is nobody's business but its owner's."""
    dataset = settings.dataset
    return f"the folder {literal(Path(dataset.path).name)}" if dataset.name in IN_FILES else dataset.name


def caption(conditioner: Conditioner, samples: str) -> str:
    what = literal(in_turn(conditioner))
    return f"Not chosen by hand: seed 0, {what}. The picture is `{Path(samples).name}` among the model's artifacts."


def figures(facts: Facts) -> str:
    row, evaluation = facts.row, facts.evaluation
    rows = [
        (facts.metric, with_interval(row.distance, row.distance_low, row.distance_high)),
        ("the same, to the test split", number(row.distance_test)),
        ("the test split's own distance, the floor", number(evaluation.floor)),
        ("kernel distance", with_interval(row.kid, row.kid_low, row.kid_high)),
        ("precision, recall", f"{percent(row.precision)}, {percent(row.recall)}"),
    ]
    rows += [(one.says, figure_of(row.figures[one.name], one)) for one in evaluation.figures if one.name in row.figures]
    completion = evaluation.completion
    if row.accuracy is not None:
        what = "the label asked for" if completion is None else "what the whole datum is"
        rows.append((f"{facts.things} recognised as {what}", percent(row.accuracy)))
    if completion is not None:
        crps = with_interval(completion.crps, completion.crps_low, completion.crps_high)
        rows.append((CRPS, f"{crps}; training data {number(completion.unconditional)}"))
    takes = timed(duration(row.seconds_per_image), row.machine_load)
    rows.append((f"{one_of(facts.things)} takes, where it was measured", takes))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    completed = "" if completion is None else f" that are completed from {completion.part} of test data"
    return f"""\
## How good it is

{evaluation.num_sets} independent sets of {evaluation.num_images} {facts.things}{completed}, against the \
{evaluation.reference}, with {evaluation.confidence:.0%} intervals; features of the extractor \
`{evaluation.extractor}`. {what_the_distance_is(facts)} Only figures of the same protocol can be compared.

| measure | value |
|---|---|
{table}"""


def figure_of(figure: FigureOfSets, of: FigureOfData) -> str:
    """With what the test split has: `0.02 decades (0.01 to 0.03); real data 0.005`."""
    if figure.value is None:
        return "–"
    ends = "" if figure.low is None or figure.high is None else f" ({number(figure.low)} to {number(figure.high)})"
    real = "" if of.test.value is None else f"; real data {number(of.test.value)}"
    return f"{number(figure.value)} {of.unit}".strip() + ends + real


def what_the_distance_is(facts: Facts) -> str:
    if facts.metric == "fid":
        return f"`fid` depends on the number of images: {facts.evaluation.num_images} here, 50,000 in most papers."
    return f"`{facts.metric}` is a Fréchet distance between those features: not FID, and no match for published FIDs."


def limits(facts: Facts) -> str:
    return f"""\
## Limits

- It knows {dataset_name(facts.settings)} and nothing else, and repeats whatever leanings those {facts.things} have.
- Some of its {facts.things} cannot be recognised. They are not checked before you get them.
- The figures hold for this sampler; other steps, solvers or guidance have their own.
- The intervals are of sampling alone. It is one training, seed {facts.settings.train.seed}; another seed can differ \
by more.
- Whether some are near copies of training {facts.things} is to be seen in its run's report, not tested. The licence \
of the {facts.things} that it learned from may bind its own."""


def data(facts: Facts) -> str:
    dataset, names, prepared = facts.settings.dataset, facts.names, facts.prepared
    lines = [
        f"- Dataset: {dataset_name(facts.settings)}",
        f"- Licence of its {facts.things}: {literal(dataset.licence)}",
    ]
    if prepared is not None:
        counts = f"{prepared.train_images:,} for training, {prepared.test_images:,} for testing"
        lines.append(f"- {facts.things.capitalize()}: {counts}")
        if prepared.num_skipped:
            lines.append(f"- Files left out because they could not be used: {prepared.num_skipped:,}")
        if prepared.num_in_both_splits:
            lines.append(
                f"- {facts.things.capitalize()} of the test split that are in the training split too: "
                f"{prepared.num_in_both_splits:,}"
            )
    if isinstance(facts.conditioner, Given):
        lines.append(f"- Given of each: `{Part.of(facts.conditioner).in_words}`")
    elif isinstance(facts.conditioner, Text):
        encoder = facts.conditioner.encoder
        lines.append(f"- Texts: {encoder.says}; {encoder.length} tokens of each at most")
    else:
        listed = ", ".join(f"{number} {literal(name)}" for number, name in enumerate(names))
        lines.append(f"- Labels: {listed or 'none'}")
    return "\n".join(["## Data", "", *lines])


def method(facts: Facts) -> str:
    name, options = parts(facts.config.network)
    sizes = ", ".join([f"kind {name}", *(f"{key} {value}" for key, value in options.items())])
    return f"""\
## Method

{in_words(facts.settings.methods[facts.method].objective)}

- Network: {sizes}; {facts.parameters:,} parameters
- Training: {budget(facts)}"""


def budget(facts: Facts) -> str:
    train, prepared, trained = facts.settings.train, facts.prepared, facts.trained
    words = [f"{train.images_seen:,} {facts.things} seen in batches of {train.batch_size}"]
    if prepared is not None and train.images_seen is not None:
        words.append(f"each about {train.images_seen / prepared.train_images:.2g} times")
    words += [f"learning rate {train.learning_rate}", f"seed {train.seed}"]
    if train.ema_decay:
        words.append(f"weights averaged with decay {train.ema_decay}")
    if train.horizontal_flips:
        words.append(f"{train.horizontal_flips:.0%} of them in a mirror")
    if facts.names or isinstance(facts.conditioner, Given | Text):
        what = "label" if facts.names else "text" if isinstance(facts.conditioner, Text) else "part"
        withheld = f"the {what} withheld from {train.label_dropout:.0%}, for guidance"
        words.append(withheld if train.label_dropout else f"none without its {what}, so that guidance is no use")
    if trained is not None:
        words.append(timed(duration(trained.seconds), trained.machine_load))
    if trained is not None and (before := trained.before) is not None:
        words.append(
            f"from the network of {before.method}, which had seen {before.images_seen:,} {facts.things} in "
            f"{duration(before.seconds)}"
        )
    return ", ".join(words)


def timed(words: str, load: Load | None) -> str:
    """A time beside what else the machine did."""
    return words if load is None else f"{words} ({load})"


def origin(facts: Facts) -> str:
    lines = "\n".join(f"| {name} | `{value}` |" for name, value in sorted(facts.lineage.items()))
    return f"""\
## Where it comes from

| | |
|---|---|
{lines}"""
