import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.schemas.evaluation import AtLength, Evaluation, EvaluationRow, Lengths, Snapshot, distance_key


def row(**changes: object) -> EvaluationRow:
    content = {
        "sampler": {"solver": "euler", "steps": 10},
        "solver": "euler", "steps": 10, "nfe": 10, "distance": 4.0, "distance_low": 3.0, "distance_high": 5.0,
        "distance_test": 4.5, "distance_sets": [3.5, 4.5], "distance_infinity_sets": [3.0, 4.0],
        "kid": 0.1, "kid_low": 0.0, "kid_high": 0.2,
        "precision": 0.8, "recall": 0.5, "accuracy": None, "seconds_per_image": 0.01,
    }  # fmt: skip
    return EvaluationRow.model_validate(content | changes)


def evaluation(*rows: EvaluationRow, extractor: str = "classifier") -> Evaluation:
    return Evaluation(
        extractor=extractor,
        reference="train",
        num_images=100,
        num_sets=2,
        confidence=0.95,
        floor=1.0,
        rows=list(rows),
        along=[],
    )


@pytest.mark.parametrize(("extractor", "key"), [("inception", "fid"), ("classifier", "fid_classifier")])
def test_a_distance_is_named_after_its_extractor(tmp_path: Path, extractor: str, key: str) -> None:
    written = evaluation(row(), extractor=extractor)
    written.save(tmp_path / "a.json")
    on_disk = json.loads((tmp_path / "a.json").read_text())["rows"][0]
    assert {key, f"{key}_low", f"{key}_high", f"{key}_test", f"{key}_sets"} <= set(on_disk)
    assert not any(name.startswith("distance") for name in on_disk)
    assert Evaluation.load(tmp_path / "a.json") == written
    assert distance_key(extractor) == key


def test_lengths_are_written_where_there_are_any(tmp_path: Path) -> None:
    plain = evaluation(row())
    plain.save(tmp_path / "plain.json")
    assert "lengths" not in json.loads((tmp_path / "plain.json").read_text())
    lengths = Lengths(
        sampler=row().sampler,
        tried=[AtLength(length=0.05, distance=4.0, distance_sets=[3.0, 5.0])],
        best=0.05,
        distance=4.0,
        distance_low=2.0,
        distance_high=6.0,
        distance_sets=[3.0, 5.0],
        untuned=4.5,
    )
    written = plain.model_copy(update={"lengths": lengths})
    written.save(tmp_path / "a.json")
    on_disk = json.loads((tmp_path / "a.json").read_text())["lengths"]
    assert (on_disk["fid_classifier"], on_disk["tried"][0]["fid_classifier_sets"]) == (4.0, [3.0, 5.0])
    assert Evaluation.load(tmp_path / "a.json") == written


def test_best_row() -> None:
    measured = evaluation(row(), row(nfe=20, distance=2.0), row(solver="midpoint", distance=3.0, recall=0.1))
    assert measured.best("fid_classifier").nfe == 20
    assert measured.best("fid_classifier", nfe=10).solver == "midpoint"
    assert measured.best("recall", nfe=10).solver == "euler"
    with pytest.raises(LookupError, match=r"no row with 7 evaluations; there are rows with \[10, 20\]"):
        measured.best("fid_classifier", nfe=7)
    for missing in ("fid", "accuracy", "solver"):
        with pytest.raises(LookupError, match="is not measured"):
            measured.best(missing)


def test_what_is_not_a_number_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        evaluation(row(distance=float("nan"))).save(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError):
        row(fid=3.0)


def test_the_way_is_named_after_the_extractor_too(tmp_path: Path) -> None:
    given = evaluation().model_copy(
        update={
            "along": [
                Snapshot(images_seen=64, distance=2.0, distance_sets=[1.0, 3.0], distance_infinity_sets=[0.5, 2.5])
            ]
        }
    )
    given.save(tmp_path / "one.json")
    assert json.loads((tmp_path / "one.json").read_text())["along"][0]["fid_classifier_infinity_sets"] == [0.5, 2.5]
    assert Evaluation.load(tmp_path / "one.json") == given


def test_the_distance_at_infinity_is_read_by_its_name_of_before(tmp_path: Path) -> None:
    evaluation().save(tmp_path / "one.json")
    text = (tmp_path / "one.json").read_text()
    (tmp_path / "two.json").write_text(text.replace("fid_classifier_infinity_sets", "fid_classifier_limit_sets"))
    assert Evaluation.load(tmp_path / "two.json") == evaluation()
