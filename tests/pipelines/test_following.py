"""How far a method follows captions, with the judges that stage features leaves."""

from pathlib import Path

import numpy as np
import pytest
import torch

from fm.data.prepared import Prepared
from fm.metrics.captions.judges import Judges
from fm.metrics.extractors import TwoTowers
from fm.text import Encoder
from pipelines import params
from pipelines.features import asked as asked_of
from pipelines.following import deciding, follow, is_told_captions, train_judges
from pipelines.inputs.settings import of_evaluate, of_features
from pipelines.params import Params
from pipelines.project import CAPTIONS, FEATURES
from tests.fm.conftest import tiny_generator
from tests.fm.metrics.captions.bars import Knowing, asked_for, bars, encoder_in, generator, shortly_trained
from tests.pipelines.params.written import changed
from tests.pipelines.report.made_up import row


def under(condition: object) -> Params:
    return params.parse(changed("dataset.condition", condition))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return encoder_in(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def judges(dataset: Prepared, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Judges:
    return shortly_trained(asked_for(dataset, encoder, tmp_path_factory.mktemp("cache")))


def test_figures_are_those_of_the_judges_that_lie_there(
    judges: Judges,
    dataset: Prepared,
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    judges.save(FEATURES / CAPTIONS)
    chosen = under("text").evaluate.model_copy(update={"images": 20, "sets": 3})
    made = generator(encoder, Knowing(encoder))
    assert is_told_captions(made)
    found = follow(made, dataset, chosen)
    assert [(one.kind, one.what, one.of) for one in found][:3] == [
        ("ranking", "another caption", "held out"),
        ("ranking", "another label", "held out"),
        ("retrieval", "1 of 8", "held out"),
    ]
    first = found[0]
    assert (first.share, first.share_low, first.share_high, first.floor, first.ceiling) == (1, 1, 1, 0.5, 1)
    assert capsys.readouterr().out.startswith(
        "ranking (another caption, held out): 100.0%; 50.0% where captions are shuffled, real 100.0%\n"
    )


def test_who_is_told_labels_is_asked_nothing() -> None:
    assert not is_told_captions(tiny_generator())


def test_the_best_of_the_evaluations_that_decide_is_looked_at() -> None:
    rows = [row("euler", 5, 5, 1.0), row("euler", 10, 10, 9.0), row("midpoint", 5, 10, 8.0)]
    assert deciding(rows, nfe=10) == 2
    assert deciding(rows, nfe=20) == 0, "where no row has as many, the best of all"


@pytest.mark.parametrize(("condition", "told"), [("labels", None), ("text", "minilm")])
def test_extractors_get_the_encoder_that_networks_have(
    condition: str,
    told: str | None,
    dataset: Prepared,
) -> None:
    given = asked_of(under(condition), dataset, torch.device("cpu"))
    assert (None if given.encoder is None else given.encoder.name) == told


def test_what_captions_are_measured_with_counts_where_there_are_some() -> None:
    plain, told = under("labels"), under("text")
    assert (of_features(plain, "")["encoder"], of_features(told, "")["encoder"]) == (None, "minilm")
    more = params.parse(changed("register.nfe", 5) | {"dataset": changed("dataset.condition", "text")["dataset"]})
    assert of_evaluate(told, "flow_matching")["captions_at"] == 10
    assert of_evaluate(more, "flow_matching")["captions_at"] == 5
    assert "captions_at" not in of_evaluate(plain, "flow_matching")


def test_towers_that_are_the_extractor_are_not_trained_twice(
    judges: Judges, dataset: Prepared, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asked_for(dataset, encoder, tmp_path)
    monkeypatch.delattr(TwoTowers, "prepare")
    monkeypatch.setattr("fm.metrics.captions.judges.AttributeClassifier.trained", lambda *given: None)
    train_judges(asked, judges.towers, tmp_path)
    left = Judges.load(tmp_path / CAPTIONS, torch.device("cpu")).towers
    assert np.array_equal(left.features(dataset.test.data), judges.towers.features(dataset.test.data))
