"""params.yaml from disk, and as a table."""

from pathlib import Path

import pytest

from pipelines import params


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(params.ParamsError, match="is missing"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(params.ParamsError, match="not YAML"):
        params.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(params.ParamsError, match=r"params\.yaml"):
        params.load(tmp_path / "params.yaml")


def test_every_setting_has_one_dotted_key_for_a_table() -> None:
    found = params.flat(params.load())
    assert found["methods"] == "flow_matching, diffusion"
    assert found["train.images_seen"] == 200000
    assert found["register.nfe"] == 10
    assert not [key for key, value in found.items() if isinstance(value, dict)]
