import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fm.components import known
from fm.conditions import Labels, Observed, Text
from fm.config import SamplerConfig
from fm.text import MiniLM
from pipelines import params
from pipelines.params import Objective
from pipelines.project import ROOT
from pipelines.registry.model_card import LONGEST, Facts, card, shortened
from pipelines.registry.model_use import Example, by_http
from pipelines.registry.wording import in_words
from pipelines.schemas.evaluation import Completion, Evaluation, EvaluationRow
from pipelines.schemas.prepare import PrepareMetrics, SkippedFile
from pipelines.schemas.train import TrainMetrics
from tests.fm.conftest import tiny_generator
from tests.fm.text.tiny import HOSTILE as PROMPTS
from tests.fm.text.tiny import tiny_encoder


@pytest.fixture
def facts() -> Facts:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["dataset"]["name"] = "digits"
    row = EvaluationRow(
        solver="midpoint", steps=5, sampler=SamplerConfig(solver="midpoint", steps=5), nfe=10,
        distance=12.3456, distance_low=12.0, distance_high=12.7, distance_test=13.0,
        distance_sets=[12.0, 12.7], distance_infinity_sets=[],
        kid=0.01, kid_low=0.0, kid_high=0.02, precision=0.5, recall=0.4, accuracy=0.876,
        seconds_per_image=0.01,
    )  # fmt: skip
    evaluation = Evaluation(
        extractor="classifier", reference="training split of digits", num_images=100, num_sets=2, confidence=0.95,
        floor=3.0, rows=[row], along=[],
    )  # fmt: skip
    prepared = PrepareMetrics(
        train_images=1437, test_images=360, labels=10, num_skipped=1, num_in_both_splits=0,
        skipped=[SkippedFile(file="a.png", reason="empty")], in_both_splits=[],
    )  # fmt: skip
    trained = TrainMetrics(
        images_seen=30000, steps=469, seconds=90.0, images_per_second=333.0, peak_memory_bytes=1, final_loss=0.1,
        parameters=123456, flops=1, resumed=0,
    )  # fmt: skip
    return Facts(
        params.parse(content), "diffusion", tiny_generator().config, 123456, prepared, trained, evaluation, row,
        "fid_classifier", {"git.commit": "abc"},
    )  # fmt: skip


def page_of(facts: Facts) -> str:
    return card(facts, "samples.png")


def test_says_what_it_is_how_good_and_where_from(facts: Facts) -> None:
    page = page_of(facts)
    assert page.startswith("# digits-generator\n")
    assert "grey images of 8×8 pixels" in page
    assert "**diffusion**, sampled with midpoint" in page
    assert "the best by fid_classifier at 10 calls" in page
    assert "![images by this model](samples.png)" in page
    assert "| fid_classifier | 12.3 (12.0 to 12.7) |" in page
    assert "with 95% intervals" in page
    assert "2 independent sets of 100 images" in page
    assert "| images recognised as the label asked for | 87.6% |" in page
    assert "| git.commit | `abc` |" in page


def test_says_what_it_was_trained_on_and_how(facts: Facts) -> None:
    page = page_of(facts)
    assert "Licence of its images: CC BY 4.0" in page
    assert "Images: 1,437 for training, 360 for testing" in page
    assert "Files left out because they could not be used: 1" in page
    assert "in the training split too" not in page
    assert "learns to predict the noise" in page
    assert "`ddpm`, `independent`, `discrete`, `noise`, `flat`" in page
    assert "kind unet, width 8" in page
    assert "123,456 parameters" in page
    assert "30,000 images seen in batches of 64, each about 21 times, learning rate 0.002, seed 0" in page
    assert "1.5 min" in page


def test_says_what_it_is_given_and_how_to_give_it(facts: Facts) -> None:
    given = Observed((1, 8, 8), share=0.2)
    completion = Completion(
        sampler=facts.row.sampler, nfe=10, part="the values at some points", data=32, members=8, crps=0.25,
        crps_low=0.2, crps_high=0.3, crps_each=[0.2, 0.3], unconditional=0.5, spread_by_error=1.0,
        ranks=[0.5, 0.5], unevenness=0.0,
    )  # fmt: skip
    config = facts.config.model_copy(update={"conditioner": given.choice})
    evaluation = facts.evaluation.model_copy(update={"completion": completion})
    page = page_of(replace(facts, config=config, evaluation=evaluation))
    assert "seed 0, with nothing given." in page
    assert "sets of 100 images that are completed from the values at some points of test data, against" in page
    assert "in deviations of the data) | 0.250 (0.200 to 0.300); training data 0.500 |" in page
    assert "label asked for" not in page
    assert "(`observed, share 0.2`). They are brought whole, as they are stored, (number, 8, 8, 1), NaN or" in page
    assert "--model digits-generator@champion --given data.npy" in page
    assert "- Given of each: `observed, share 0.2`" in page
    assert "the part withheld from 10%" in page


def test_leaves_out_what_is_not_known(facts: Facts) -> None:
    row = facts.row.model_copy(update={"accuracy": None})
    page = page_of(replace(facts, row=row, prepared=None, trained=None))
    assert "recognised as" not in page
    assert "for training" not in page
    assert " min" not in page.partition("Training:")[2].partition("\n")[0]


@pytest.mark.parametrize(
    ("extractor", "said"),
    [
        ("classifier", "`fid_classifier` is a Fréchet distance between those features: not FID"),
        ("inception", "`fid` depends on the number of images: 100 here"),
    ],
)
def test_says_what_the_distance_is(facts: Facts, extractor: str, said: str) -> None:
    evaluation = facts.evaluation.model_copy(update={"extractor": extractor})
    assert said in page_of(replace(facts, evaluation=evaluation))


def test_a_paragraph_is_one_line(facts: Facts) -> None:
    """MLflow's pages make a new line of every line's end."""
    prose = page_of(facts).split("```")[::2]
    paragraphs = [part for text in prose for part in text.strip().split("\n\n") if part[:1].isalpha()]
    assert paragraphs
    assert [part for part in paragraphs if "\n" in part] == []


def test_says_how_to_use_it(facts: Facts) -> None:
    page = page_of(facts)
    assert "mlflow models serve -m models:/digits-generator@champion --env-manager local" in page
    assert 'mlflow.artifacts.download_artifacts("models:/digits-generator@champion/artifacts/generator")' in page
    assert "pipelines.generate --label=0 --count 64" in page


def test_a_card_that_is_too_long_for_mlflow_ends_with_a_whole_section_and_says_where_the_rest_is(facts: Facts) -> None:
    page = page_of(facts)
    assert shortened(page, "CARD.md", len(page)) == page
    longer = page_of(replace(facts, lineage={f"tag{number}": "f" * 64 for number in range(60)}))
    assert len(longer) > LONGEST
    short = shortened(longer, "CARD.md")
    assert len(short) <= LONGEST
    assert short.startswith(page.partition("\n\n## Where it comes from")[0])
    assert short.rstrip().endswith("The rest is in `CARD.md` among the model's artifacts.")


@pytest.mark.parametrize("label", ["Bag", "children's", "日本"])
def test_the_shell_reads_the_request_as_it_was_meant(label: str) -> None:
    command = by_http("some-generator", Example("label", label), "images", "rows").split("```")[1]
    _, body = command.split(" -d ")
    sent = json.loads(shlex.split(body)[0])
    assert sent["inputs"] == [{"label": label}]


def test_what_is_no_picture_is_called_a_sample(facts: Facts) -> None:
    dataset = facts.settings.dataset.model_copy(update={"name": "turbulence"})
    codec = {"name": "standardised", "stored": [2, 8, 8]}
    config = facts.config.model_copy(update={"codec": codec})
    settings = facts.settings.model_copy(update={"dataset": dataset})
    page = page_of(replace(facts, settings=settings, config=config))
    assert "images" not in page.lower()
    assert "calls of the network a sample" in page
    assert "nested lists, (2, 8, 8), as the data are stored" in page


def test_a_dataset_without_labels(facts: Facts) -> None:
    page = page_of(replace(facts, config=facts.config.model_copy(update={"conditioner": "labels"})))
    assert "Labels: none" in page
    assert '{"inputs": [{}], ' in page
    assert "--label" not in page


def test_a_choice_with_options_and_one_of_ones_own() -> None:
    objective = Objective.model_construct(
        path="mine:Squared",
        coupling="independent",
        timesteps={"name": "logit_normal", "mean": 0.5},
        target="v",
        weight="flat",
    )
    said = in_words(objective)
    assert "mixed along `mine:Squared`" in said
    assert "drawn from a logit-normal distribution" in said
    assert "`logit_normal(mean=0.5)`" in said
    assert said.startswith("Noise and data are paired at random")


def test_noise_that_is_not_white_is_named() -> None:
    parts = {"path": "cond_ot", "coupling": "independent", "timesteps": "uniform", "target": "v", "weight": "flat"}
    said = in_words(Objective(**parts, source={"name": "shared", "rho": 0.3}))
    assert said.startswith(
        "The noise is of standard normal numbers that frames, slices of the first axis, share in part. N"
    )
    assert said.endswith("`flat`, `shared(rho=0.3)`.")


@pytest.mark.parametrize("kind", ["path", "source", "coupling", "timesteps", "target", "weight"])
def test_every_choice_has_words(kind: str) -> None:
    assert all(component.says for component in known(kind).values())


HOSTILE = [
    "<script>alert(1)</script>",
    "[free images](https://elsewhere.example)",
    "![](https://elsewhere.example/seen.png)",
    "a | b | c",
    "first\n\n# Title\n\n- [x] done",
    "`code` *strong* _weak_ ~~gone~~",
    "&lt;b&gt; \\* C#",
    "\x1b[2J\u202ereversed",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_labels_and_folders_mark_up_nothing(facts: Facts, name: str) -> None:
    dataset = facts.settings.dataset.model_copy(
        update={"name": "image-folder", "path": f"pictures/{name}", "licence": name}
    )
    settings = facts.settings.model_copy(update={"dataset": dataset})
    plain = facts.settings.model_copy(update={"dataset": dataset.model_copy(update={"path": "a", "licence": "b"})})
    config = facts.config.model_copy(update={"conditioner": Labels((name, "shoe")).choice})

    page = page_of(replace(facts, settings=settings, config=config))

    shown = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(name.split()))
    texts = lines(page)
    assert f"Labels: 0 {shown}, 1 shoe" in texts
    assert f"Licence of its images: {shown}" in texts
    assert kinds(page) == kinds(page_of(replace(facts, settings=plain)))


def test_the_examples_ask_for_a_label_that_a_shell_takes_for_one(facts: Facts) -> None:
    names = ["odd\x1b[2J\n```\n# Title", "--out=precious", "shoe"]
    page = page_of(replace(facts, config=facts.config.model_copy(update={"conditioner": Labels(tuple(names)).choice})))
    assert "pipelines.generate --label=--out=precious --count 64" in page
    assert kinds(page) == kinds(page_of(facts))


@pytest.fixture
def of_texts(facts: Facts, tmp_path: Path) -> Callable[..., Facts]:
    """Of a model that knows texts, with these examples."""
    encoder = MiniLM(length=8, place=str(tiny_encoder(tmp_path / "tiny")))

    def made(*examples: str) -> Facts:
        config = facts.config.model_copy(update={"conditioner": Text.by(encoder, examples).choice})
        return replace(facts, config=config)

    return made


def test_a_model_of_texts_says_what_its_pictures_are_of_and_how_to_ask(of_texts: Callable[..., Facts]) -> None:
    page = page_of(of_texts("a red heart", "the star"))
    assert "these texts in turn, a column each: “a red heart”, “the star”. The picture" in page
    assert "- Texts: all-MiniLM-L6-v2, six layers of 384 numbers, for English; " in page
    assert "the text withheld from" in page
    assert 'model.predict([{"prompt": "a red heart"}]' in page
    assert "pipelines.generate --prompt='a red heart' --count 64" in page
    assert '-d \'{"inputs": [{"prompt": "a red heart"}]' in page
    assert "| `prompt` | for rows without one | the texts above in turn |" in page
    assert "`labelled`: `prompt`, the one taken" in page
    assert "Labels: " not in page
    assert "`label`" not in page


def test_many_texts_are_told_row_by_row(of_texts: Callable[..., Facts]) -> None:
    page = page_of(of_texts(*(f"star {number}" for number in range(90))))
    assert "these texts in turn, row by row, 10 in each: “star 0”, “star 1”," in page
    assert "“star 79”. The picture" in page


def test_a_model_of_texts_without_examples(of_texts: Callable[..., Facts]) -> None:
    page = page_of(of_texts())
    assert "seed 0, without a text. The picture" in page
    assert 'model.predict([{"prompt": "a text"}]' in page


@pytest.mark.parametrize("text", [*HOSTILE, *PROMPTS])
def test_a_text_marks_up_nothing_and_leaves_room(of_texts: Callable[..., Facts], text: str) -> None:
    page = page_of(of_texts(text, "a star"))
    assert kinds(page) == kinds(page_of(of_texts("a heart", "a star")))
    long = page_of(of_texts(*[text + "a" * 9000] * 8))
    assert len(long) < len(page) + 8 * 500
    assert shortened(long, "CARD.md").endswith("The rest is in `CARD.md` among the model's artifacts.\n")
    assert "\n## " in shortened(long, "CARD.md")


def inline(page: str) -> list[Token]:
    return [token for token in MarkdownIt().enable(["table", "strikethrough"]).parse(page) if token.type == "inline"]


def lines(page: str) -> list[str]:
    """What a reader sees, line by line."""
    return ["".join(part.content for part in token.children or []) for token in inline(page)]


def kinds(page: str) -> list[list[str]]:
    """What each line is made of: text, code, emphasis, HTML, links, pictures."""
    return [[part.type for part in token.children or [] if part.type != "text"] for token in inline(page)]
