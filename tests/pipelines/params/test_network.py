"""The section `network`."""

import pytest
import torch
import yaml

from flows import settings
from fm.conditions import Label, Sequence, Spec
from fm.networks import Autoencoder, Network
from pipelines import params
from pipelines.forecast import narrow
from pipelines.params.defaults import FOLDER
from pipelines.project import ROOT
from tests.pipelines.params.written import changed

RECIPES = [None, *sorted(file.stem for file in (ROOT / "recipes").glob("*.yaml"))]


@pytest.mark.parametrize(("size", "value"), [("width", 1_000_000), ("blocks", 1_000), ("multipliers", [1, 1000])])
def test_a_network_that_no_memory_holds_is_refused(size: str, value: int | list[int]) -> None:
    with pytest.raises(params.ParamsError, match=rf"network: network 'unet': {size} = .*from"):
        params.parse(changed(f"network.{size}", value))


def test_sizes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(params.ParamsError, match="network: width 96 is not a multiple of heads 5"):
        params.parse(changed("network", {"kind": "transformer", "width": 96, "heads": 5}))


OF_OTHER_DATA = {
    "turbulence": (2, 32, 32),
    "relief": (1, 64, 64),
    "field-files": (3, 64, 64),
    "moving-garments": (1, 16, 32, 32),
    "moving-emoji": (3, 16, 32, 32),
    "video-folder": (3, 16, 32, 32),
    "furniture-voxels": (1, 32, 32, 32),
    "volume-folder": (1, 32, 32, 32),
}
"""A datum that is no picture, as it is modelled."""
DATASETS = sorted(file.stem for file in FOLDER.glob("*.yaml"))


def shape_of(chosen: params.Params) -> tuple[int, ...]:
    """(C, *spatial) of what is modelled."""
    size, autoencoder = chosen.dataset.image_size, chosen.codec.autoencoder
    if size is None:
        return OF_OTHER_DATA[chosen.dataset.name]
    if chosen.codec.kind == "pixels":
        assert chosen.dataset.channels is not None
        return chosen.dataset.channels, size, size
    if isinstance(autoencoder, str):  # Stable Diffusion's
        return 4, size // 8, size // 8
    trained = Autoencoder.of(chosen.codec.untrained)
    side = size // trained.factor
    return trained.latent_channels, side, side


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipes_networks_fit_its_data(recipe: str | None) -> None:
    given = {} if recipe is None else settings.read_recipe(recipe, ROOT)
    chosen = params.parse(yaml.safe_load(settings.merged((ROOT / params.FILE).read_text(), given, {})))
    shape = shape_of(chosen)
    is_text = isinstance(chosen.dataset.condition, params.Captions)
    fields: dict[str, Spec] = {"text": Sequence(width=384, length=24)} if is_text else {"label": Label(10)}
    with torch.device("meta"):  # sizes without numbers
        for method in chosen.methods.values():
            network = Network.of(method.network.choice)
            network.build(shape, fields)
            assert narrow(network, shape, getattr(method.objective, "target", None) == "data") == []


@pytest.mark.parametrize("kind", ["unet", "transformer"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_noise_passes_every_datasets_networks(dataset: str, kind: str) -> None:
    content = changed("dataset.name", dataset)
    content["network"] = {"kind": kind}
    chosen = params.parse(content)
    assert narrow(Network.of(chosen.network.choice), shape_of(chosen), predicts_data=False) == []
