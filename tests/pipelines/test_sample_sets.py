"""How sample sets are measured against the prepared dataset."""

from pathlib import Path

import numpy as np
import pytest

from fm.data.prepared import Prepared
from fm.data.splits import Splits
from fm.data.writing import write
from pipelines import params
from pipelines.params import Evaluate, ParamsError
from pipelines.project import FEATURES, ROOT
from pipelines.sample_sets import conditions, measure, real_reference
from tests.fm.conftest import tiny_generator
from tests.fm.test_evaluation import OF_EACH, Pixels, features


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """With features of real images."""
    monkeypatch.chdir(tmp_path)
    FEATURES.mkdir(parents=True)
    np.save(FEATURES / "train.npy", features(0))
    np.save(FEATURES / "test.npy", features(1))
    return params.load(ROOT / "params.yaml").evaluate.model_copy(update={"images": OF_EACH, "sets": 4})


def test_sets_that_are_too_small_for_the_features_are_refused(chosen: Evaluate) -> None:
    assert real_reference(chosen).floor > 0
    with pytest.raises(ParamsError, match=r"evaluate\.images = 6"):
        real_reference(chosen.model_copy(update={"images": 6}))


def test_a_generator_of_other_data_is_asked_by_name_for_what_it_knows(tmp_path: Path) -> None:
    images, labels = np.zeros((6, 8, 8, 1), dtype=np.uint8), np.array([0, 1, 2, 0, 1, 2])
    write(tmp_path, Splits(images, labels, images, labels, ("bag", "coat", "dress")), "clothes")
    dataset = Prepared.open(tmp_path)
    asked = {("bag", "coat", "dress"): [0, 1, 2], ("dress", "bag"): [1, 2, 0], (): [0, 0, 0]}
    for known, numbers in asked.items():
        generator = tiny_generator(label_names=known)
        wanted = conditions(generator, dataset)
        assert generator.conditioner.read(wanted.asked[:3])["label"].tolist() == numbers
        assert wanted.labels is not None
        assert wanted.labels.tolist() == labels.tolist()


class Own(Pixels):
    name = "own"


def test_every_metric_that_can_decide_has_a_value_for_each_set(
    chosen: Evaluate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.random.default_rng(5).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(40) % 10
    write(tmp_path / "prepared", Splits(images, labels, images, labels, tuple("0123456789")), "digits")
    few = chosen.model_copy(update={"images": 20, "sets": 3})
    real = real_reference(few)
    row = measure(tiny_generator(), Own(), Prepared.open(tmp_path / "prepared"), real, few)  # type: ignore[arg-type]
    assert np.mean(row.distance_test_sets) == pytest.approx(row.distance_test)
    assert np.mean(row.kid_sets) == pytest.approx(row.kid)
    assert np.mean(row.accuracy_sets) == pytest.approx(row.accuracy)
    for sets in (row.distance_sets, row.distance_test_sets, row.kid_sets, row.precision_sets, row.accuracy_sets):
        assert len(sets) == 3
    told = f"{row.solver} {row.steps}: nfe {row.nfe}, fid_own {row.distance:.2f}\n"
    assert capsys.readouterr().out == told
    young = "snapshot after 6,400 images of this training"
    prepared = Prepared.open(tmp_path / "prepared")
    measure(tiny_generator(), Own(), prepared, real, few, network=young)  # type: ignore[arg-type]
    assert capsys.readouterr().out == told.replace(":", f", {young}:")
