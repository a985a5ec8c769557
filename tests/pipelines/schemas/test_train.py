import json
from pathlib import Path

from pipelines.schemas.train import TrainMetrics
from tests.pipelines.report.made_up import training


def test_what_was_spent_on_the_network_before_counts(tmp_path: Path) -> None:
    first = training(seconds=100)
    assert (first.images_seen_in_all, first.seconds_in_all) == (64_000, 100)
    second = training(seconds=20).model_copy(update={"before": first.behind("flow_matching")})
    third = training(seconds=3).model_copy(update={"before": second.behind("more")})
    assert (second.images_seen, second.images_seen_in_all, second.seconds_in_all) == (64_000, 128_000, 120)
    assert (third.images_seen_in_all, third.seconds_in_all) == (192_000, 123)
    assert third.before is not None
    assert third.before.method == "more"
    for metrics in (first, third):
        metrics.save(tmp_path / "metrics.json")
        assert TrainMetrics.load(tmp_path / "metrics.json") == metrics
    first.save(tmp_path / "metrics.json")
    assert "before" not in json.loads((tmp_path / "metrics.json").read_text())
