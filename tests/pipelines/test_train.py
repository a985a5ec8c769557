import pytest

from fm.errors import UserError
from pipelines.stage import Stage
from pipelines.train import train


def test_where_checkpoints_go_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read, let alone trained."""
    monkeypatch.setenv("PIPELINE_CHECKPOINTS", "/dev/null")
    with pytest.raises(UserError, match=r"^PIPELINE_CHECKPOINTS = /dev/null: must be a folder$"):
        train(Stage("train@diffusion", {}, {}), "diffusion")
