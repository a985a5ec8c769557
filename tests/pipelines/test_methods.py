import yaml

from pipelines import methods, params
from pipelines.project import ROOT


def test_what_params_yaml_says_of_training_is_the_budget_of_every_method() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    content["train"] |= {"images_seen": 6400, "batch_size": 64, "horizontal_flips": 0.5, "seed": 3}
    budget = methods.budget(params.parse(content))
    assert (budget.steps, budget.horizontal_flips, budget.seed) == (100, 0.5, 3)
    del content["train"]["horizontal_flips"]  # as in settings of before there were any
    assert methods.budget(params.parse(content)).horizontal_flips == 0
