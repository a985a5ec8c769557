"""How an evaluation is shared."""

from collections.abc import Iterator

import pytest
import torch

from pipelines import params
from pipelines.evaluate import started
from pipelines.project import ROOT

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("auto", ""),
        (1, ""),
        (
            3,
            "evaluate diffusion: evaluate.devices = 3: this machine has one cpu, which as many processes share, "
            "of 1 thread each\n",
        ),
    ],
)
def test_more_devices_than_there_are_is_said(asked: object, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = params.load(ROOT / "params.yaml").evaluate.model_copy(update={"devices": asked})
    started("diffusion", chosen, CPU)  # it starts nothing before it is entered
    assert capsys.readouterr().out == told
