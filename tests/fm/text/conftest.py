from pathlib import Path

import pytest

from tests.fm.text.tiny import tiny_encoder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny encoder."""
    return tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny")
