import pytest

from fm.data.prepared import Prepared
from fm.metrics.captions.judges import Judges
from fm.text import Encoder
from tests.fm.metrics.captions.bars import asked_for, bars, encoder_in, shortly_trained


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return encoder_in(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="session")
def judges(dataset: Prepared, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Judges:
    return shortly_trained(asked_for(dataset, encoder, tmp_path_factory.mktemp("cache")))
