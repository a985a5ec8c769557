"""What a run's log says of its stages' times."""

from benchmarks.run_times import of_kind, of_run, over_training

LINES = [
    ("train@a", "2026-11-26 20:00:00.000000", "Running stage 'train@a':"),
    ("train@a", "2026-11-26 20:00:01.000000", "> sh infra/python.sh -m pipelines.train a"),
    ("train@a", "2026-11-26 20:00:31.500000", "Updating lock file 'dvc.lock'"),
    ("prepare", "2026-11-26 20:00:31.500000", "'prepare' didn't change, skipping"),
    ("compare", "2026-11-26 20:00:32.000000", "> sh infra/python.sh -m pipelines.compare"),
    ("compare", "2026-11-26 20:00:42.000000", "a is best by fid_classifier at 10 evaluations"),
    ("compare", "2026-11-26 20:00:45.000000", "Updating lock file 'dvc.lock'"),
]


def test_a_stages_own_time_is_its_commands() -> None:
    stages = of_run(LINES)
    assert {stage: each.seconds for stage, each in stages.items()} == {"train@a": 30.5, "compare": 13.0}
    assert stages["compare"].measuring == 10.0
    assert of_kind(stages, "train") == 30.5


def test_measuring_is_held_against_training_where_there_was_any() -> None:
    assert over_training(of_run(LINES)) == "10 s / 30 s = 0.33"
    assert over_training(of_run(LINES[4:])) == "10 s, and that run has trained nothing"
