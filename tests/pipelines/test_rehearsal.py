import pytest

from fm.errors import UserError
from pipelines.params import Sampler
from pipelines.rehearsal import rehearse
from tests.fm.conftest import tiny_generator


def test_a_sampler_that_cannot_run_is_told_before_anything_is_spent() -> None:
    fine = Sampler.model_validate({"solver": "edm", "grid": "edm", "steps": [2]})
    rehearse("mine", tiny_generator(), [fine])
    impossible = Sampler.model_validate({"solver": "edm", "steps": [2, 3]})
    with pytest.raises(UserError, match=r"methods\.mine\.samplers: edm with 2 steps: .*start where alpha > 0"):
        rehearse("mine", tiny_generator(), [fine, impossible])


def test_a_quantity_that_the_path_does_not_have_is_told() -> None:
    with pytest.raises(UserError, match="data cannot be recovered from noise at a t where alpha = 0"):
        rehearse("mine", tiny_generator("cond_ot", "noise"), [Sampler.model_validate({"solver": "ddim", "steps": [2]})])
