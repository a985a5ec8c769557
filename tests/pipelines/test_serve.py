"""What is looked at before MLflow's server takes over."""

import os
import sys
from pathlib import Path

import pytest

from fm.text import EncoderError
from fm.text.finding import VARIABLE
from pipelines import serve
from tests.fm.text.tiny import text_generator, tiny_encoder


def test_a_model_whose_encoder_is_not_to_be_had_is_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder(tmp_path / "encoder")
    text_generator(encoder).save(tmp_path / "model")
    encoder.rename(tmp_path / "elsewhere")
    started: list[object] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: started.append(arguments))
    monkeypatch.setattr(serve, "cache_dir", lambda: tmp_path / "cache")
    monkeypatch.setattr(sys, "argv", ["serve", "--model", str(tmp_path / "model")])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "kept"))
    with pytest.raises(
        EncoderError, match=rf"^text encoder {encoder}: there is no such folder, and no {tmp_path}/kept/"
    ):
        serve.main()
    assert not started
    (tmp_path / "elsewhere").rename(encoder)
    serve.main()
    assert len(started) == 1
