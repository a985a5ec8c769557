"""The study of few-step methods, at a size that shows that it runs and measures what it says."""

import json
from pathlib import Path as FilePath

import pytest
import torch

from benchmarks import consistency, few_steps
from benchmarks.few import table, trial
from benchmarks.few.bench import Bench, make, rows_of, settings_of
from benchmarks.few.copies import RARE, copies
from benchmarks.few.trial import Mark, Trial
from fm.metrics.extractors import ClassifierExtractor
from fm.noise import Draws, Purpose
from fm.paths import Path

SMALL = ["network.width=8", "evaluate.sets=2", "evaluate.images=70", "train.batch_size=32"]


@pytest.fixture
def folder(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> FilePath:
    monkeypatch.setattr(ClassifierExtractor, "least_steps", 1)
    monkeypatch.setattr(ClassifierExtractor, "epochs", 1)
    return tmp_path


def test_every_row_is_measured_at_equal_images_and_at_equal_time(
    folder: FilePath, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "COMPARED", 100)
    given = "digits --rows flow_matching mean_flow --images 128 --equal both --seconds 0.01 --evaluations 2"
    few_steps.main(few_steps.arguments().parse_args([*given.split(), "--out", str(folder), "--set", *SMALL]))
    lines = [json.loads(line) for line in (folder / "digits.jsonl").read_text(encoding="utf-8").splitlines()]
    found = {(line["row"], line["equal"], line["sampler"], line["steps"], line["evaluations"]) for line in lines}
    ours = {("euler", 2, 2), ("midpoint", 1, 2)}
    theirs = {("jump", 2, 2), ("euler", 2, 2)}
    assert found >= {
        *(("flow_matching", equal, *one) for equal in ("images", "time") for one in ours),
        *(("mean_flow", equal, *one) for equal in ("images", "time") for one in theirs),
    }
    assert all(line["images"] == 128 for line in lines if line["row"] == "flow_matching" or line["equal"] == "images")
    assert (folder / "flow_matching-128.png").exists()
    capsys.readouterr()
    few_steps.tables([folder / "digits.jsonl"], "flow_matching")
    page = capsys.readouterr().out
    assert "**digits, equal time: 128 images of flow_matching.** `fid_classifier` of 2 sets of 70 images" in page
    assert "| mean_flow, jump | " in page


def test_on_the_way_a_training_is_what_a_shorter_one_ends_with(folder: FilePath) -> None:
    settings = settings_of("digits", SMALL)
    make(folder, settings, folder)
    bench = Bench.load(folder, settings)
    method = bench.method("shortcut")

    def weights(*steps: int) -> list[dict[str, torch.Tensor]]:
        trained = trial.trained(bench, method, Trial("shortcut", 3, tuple(Mark(1, "images", at) for at in steps), (1,)))
        return [
            {name: value.clone() for name, value in generator.network.state_dict().items()}
            for _, _, generator in trained
        ]

    first, last = weights(2, 4)
    (alone,) = weights(2)
    assert all(torch.equal(alone[name], value) for name, value in first.items())
    assert not all(torch.equal(alone[name], value) for name, value in last.items())


def test_a_row_that_goes_on_from_another_is_refused() -> None:
    settings = settings_of("digits", ["methods.shortcut.start=flow_matching"])
    assert list(rows_of(settings, ["mean_flow"])) == ["mean_flow"]
    with pytest.raises(SystemExit, match="row shortcut goes on from another network"):
        list(rows_of(settings, ["shortcut"]))
    with pytest.raises(SystemExit, match="no row else"):
        list(rows_of(settings, ["else"]))


def test_steps_of_each_objective_are_timed(folder: FilePath, capsys: pytest.CaptureFixture[str]) -> None:
    given = f"digits --cost --rows flow_matching mean_flow --seconds 0.01 --out {folder} --set network.width=8"
    few_steps.costs(few_steps.arguments().parse_args([*given.split(), "network.blocks=1"]))
    printed = capsys.readouterr().out
    for objective in ("flow_matching", "mean_flow, difference", "mean_flow, forward"):
        assert printed.count(f"| {objective} | ") == 2  # of the UNet and of the transformer


def test_copies_are_told_from_new_and_from_blurred_images() -> None:
    train, held_out, new = torch.randn(3, 1000, 20, generator=torch.Generator().manual_seed(0))
    by_heart = copies(train[:200] + 0.01 * new[:200], train, held_out)
    assert by_heart.copied == 1
    assert by_heart.nearness < 0.05
    found = copies(new, train, held_out)
    assert found.copied == pytest.approx(RARE, abs=0.02)
    assert found.nearness == pytest.approx(1, abs=0.02)
    blurred = copies(0.5 * new, train, held_out)
    assert blurred.copied < 0.05
    assert blurred.nearness < 0.95


def test_a_ratio_is_taken_seed_by_seed() -> None:
    """A factor that is the same under every seed has no interval, however much the seeds differ."""
    other = {seed: {"distance": 10.0 * (seed + 1)} for seed in range(3)}
    mine = {seed: {"distance": 4.0 * (seed + 1)} for seed in range(3)}
    assert table.ratio(mine, other) == "0.4 (0.4 to 0.4)"
    assert table.ratio({0: mine[0]}, other) == "0.4"
    assert table.ratio(mine, None) == "–"


def test_consistency_models_are_run_beside_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consistency, "MEASURED", 50)
    consistency.main(steps=2, seeds=[0])
    printed = capsys.readouterr().out
    assert all(f"| {name} | " in printed for name in consistency.METHODS)


def test_a_consistency_model_that_is_exact_ends_among_the_spots() -> None:
    """Whether it takes one step or four, with fresh noise in between."""

    class Exact(torch.nn.Module):
        def forward(self, x, t, condition, until):  # type: ignore[no-untyped-def]
            path, start, h = Path.of("cosine"), x, (until - t) / 32
            for number in range(32):
                middle = t + (number + 0.5) * h
                half = x + 0.5 * h[:, None] * consistency.exact(path, x, t + number * h)
                x = x + h[:, None] * consistency.exact(path, half, middle)
            return (x - start) / (until - t)[:, None]

    data, noise = consistency.spots(Draws(1, range(400))), Draws(2, range(400)).normal((2,), Purpose.NOISE)
    for steps in (1, 4):
        assert consistency.distance(consistency.ends(Exact(), Path.of("cosine"), noise, steps), data) < 0.6
