import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fm.extractor_names import dimensions_of, extractor_name
from fm.images import to_float
from fm.metrics.extractors import ExtractorError, load, prepare

if TYPE_CHECKING:
    from conftest import Ask


class Means(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "extractors").mkdir()
    return tmp_path / "extractors"


def test_torchscript(ask: "Ask", folder: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Means()).save(str(folder / "means.pt"))
    asked = ask("extractors/means.pt")
    made = prepare(asked)
    made.save(tmp_path)
    (folder / "means.pt").unlink()
    loaded = load(tmp_path, torch.device("cpu"))
    images = asked.dataset.train.data
    assert (made.name, loaded.name) == ("means", "means")
    expected = to_float(images).mean(dim=(2, 3)).numpy()
    np.testing.assert_allclose(loaded.features(images), expected, atol=1e-6)


def test_a_python_function(ask: "Ask", folder: Path, tmp_path: Path) -> None:
    (folder / "bright.py").write_text("def embed(images):\n    return images.mean(axis=(1, 2))\n")
    asked = ask("extractors/bright.py:embed")
    made = prepare(asked)
    made.save(tmp_path)
    images = asked.dataset.train.data
    loaded = load(tmp_path, torch.device("cpu"))
    assert loaded.name == "bright"
    np.testing.assert_allclose(loaded.features(images), images.mean(axis=(1, 2)), rtol=1e-6)


@pytest.mark.parametrize(
    ("setting", "content", "message"),
    [
        ("extractors/none.py:embed", None, "there is no extractors/none.py"),
        ("extractors/none.pt", None, "extractors/none.pt: no TorchScript file"),
        ("extractors/a.pt", "text", "extractors/a.pt: no TorchScript file"),
        ("extractors/a.py:embed", "x = 1", "has no function 'embed'"),
        ("extractors/a.py:embed", "embed = lambda images: images", r"gave an array \(80, 12, 12, 3\) for 80 data"),
        ("extractors/a.py:embed", "embed = lambda images: [[float('nan')]] * 80", "not finite"),
    ],
)
def test_what_does_not_do(ask: "Ask", folder: Path, setting: str, content: str | None, message: str) -> None:
    if content is not None:
        (folder.parent / setting.split(":")[0]).write_text(content)
    asked = ask(setting)
    with pytest.raises(ExtractorError, match=message):
        prepare(asked).features(asked.dataset.train.data)


@pytest.mark.parametrize(
    "setting",
    ["resnet", "extractors/a b.pt", "extractors/inception.pt", "extractors/a.py", "/x/a.pt", "extractors/../a.pt"],
)
def test_settings_that_name_no_extractor(setting: str) -> None:
    with pytest.raises(ValueError, match=r"must be classifier, efficientnet_lite0, .*two_towers, extractors/<name>"):
        extractor_name(setting)


FACES = """
import numpy as np
from fm.metrics.extractors import Extractor
from fm.metrics.extractors.extractor import describe

class Faces(Extractor, dimensions=3):
    def __init__(self, factor):
        self.factor = factor

    @classmethod
    def prepare(cls, asked):
        return cls(2.0)

    @classmethod
    def load(cls, folder, device):
        return cls(2.0)

    def save(self, folder):
        describe(folder, self.setting)

    def features(self, images):
        return (self.factor * images.mean(axis=(1, 2))).astype(np.float32)
"""


def test_a_class(ask: "Ask", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faces_of_ours.py").write_text(FACES)
    monkeypatch.syspath_prepend(tmp_path)
    asked = ask("faces_of_ours:Faces")
    with pytest.raises(ExtractorError, match="extractor 'faces_of_ours:Faces' is not the library's"):
        prepare(asked)
    made = prepare(asked, own=["faces_of_ours:Faces"])
    made.save(tmp_path)
    loaded = load(tmp_path, torch.device("cpu"))
    images = asked.dataset.train.data
    assert (made.name, loaded.name, extractor_name("faces_of_ours:Faces")) == ("Faces", "Faces", "Faces")
    assert dimensions_of("faces_of_ours:Faces") == 3
    np.testing.assert_allclose(loaded.features(images), 2 * images.mean(axis=(1, 2)), rtol=1e-6)
