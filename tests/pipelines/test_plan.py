"""What a training would take of each device, as the command says it."""

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flows import settings
from flows.asked import planned
from fm.errors import UserError
from fm.networks import Network
from fm.training.planning import Needs, Setting
from pipelines import params, plan
from pipelines.plan import GIB, Plan, advice
from pipelines.project import ROOT

SMALL = "{kind: transformer, width: 64, blocks: 2}"


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    monkeypatch.chdir(ROOT)
    command = ["plan", "--network", SMALL, "--shape", "3,16,16", "--labels", "10", "--batch-size", "64", *options]
    monkeypatch.setattr(sys, "argv", command)
    plan.main()
    return capsys.readouterr().out.splitlines()


def test_one_device_and_room_for_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    lines = said(monkeypatch, capsys)
    assert lines[0].startswith("GiB on each device, of which 74.0 are there for tensors; devices: 1, batch: 64 data")
    rows = [line.split(" | ") for line in lines if line.startswith("| one device")]
    assert [row[-1] for row in rows] == ["1 |", "1 |"]
    assert [str(one.message) for one in recwarn] == []
    assert lines[-1].endswith("train.strategy: auto, train.checkpoint_activations: false, train.accumulate: 1")


def test_where_little_is_left_a_batch_is_cut_or_nothing_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(monkeypatch, capsys, "--gib", "0.02", "--reserve", "0")
    assert re.search(r"train.accumulate: (2|4|8|16|32|64)$", lines[-1])
    lines = said(monkeypatch, capsys, "--devices", "2", "--gib", "0.0005", "--reserve", "0")
    assert lines[-1] == "Nothing fits: more devices, or a smaller network or datum."
    assert sum(line.endswith("| does not fit |") for line in lines) == 4


def test_a_batch_is_cut_into_single_data_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["plan", "--network", SMALL, "--shape", "3,16,16", "--labels", "10", "--batch-size", "9"]
    monkeypatch.setattr(sys, "argv", command)
    asked = plan.read()
    found = replace(asked, limit=asked.kept(Setting())).plan(Setting())
    assert found is not None
    assert found.parts == 9


def test_advice_is_in_words_of_the_settings() -> None:
    needs = Needs(GIB, GIB, 2 * GIB, GIB, 3 * GIB)
    told = advice(Setting(8, sharded=True, recomputed=True), Plan(4, needs))
    assert told == (
        "The first that fits: train.strategy: fsdp, train.checkpoint_activations: true, train.accumulate: 4"
    )


def test_a_network_that_cannot_be_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for network in ("{kind: transformer, width: 7}", "{kind: transformer, patch_size: 5}", "{kind: none}", "64"):
        with pytest.raises(UserError, match=r"^--network: ") as told:
            said(monkeypatch, capsys, "--network", network)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--devices", "7"], "--devices 7: a batch of 64 can't be divided evenly among 7 processes: "),
        (["--gib", "0.5"], "--gib 0.5: must be more than --reserve, 6, "),
        (["--network", "{kind: transformer, width: 3072"], "--network: not YAML: "),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    with pytest.raises(UserError) as told:
        said(monkeypatch, capsys, *options)
    assert str(told.value).startswith(why)
    assert "\n" not in str(told.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("option", [["--devices", "0"], ["--shape", "3,0"], ["--labels", "none"]])
def test_numbers_are_positive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    with pytest.raises(SystemExit):
        said(monkeypatch, capsys, *option)
    assert f"argument {option[0]}: must be a whole number and at least 1, not " in capsys.readouterr().err


def test_without_prepared_data_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.dataset.PREPARED", tmp_path)
    with pytest.raises(UserError, match=r"no prepared dataset here .*`make run` .* --shape 3,32,32 --labels 10"):
        plan.prepared()


OWN_NETWORK = """
from torch import nn

from fm.networks import Network

class OneMap(Network):
    def build(self, shape, fields, until=False):
        return Convolution(shape[0], shape[0], 1)

class Convolution(nn.Conv2d):
    def forward(self, x, t, condition, until=None):
        return super().forward(x)
"""


def test_a_network_of_ones_own_can_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "planned_networks.py").write_text(OWN_NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    lines = said(monkeypatch, capsys, "--network", "{kind: planned_networks:OneMap}")
    assert lines[-1].startswith("The first that fits: train.strategy: auto")
    assert sum(line.startswith("| one device") for line in lines) == 1, "it has no blocks to be computed again"


IN_LATENTS = sorted(file for file in (ROOT / "recipes").glob("*.yaml") if "autoencoder: starts/" in file.read_text())


@pytest.mark.parametrize("recipe", IN_LATENTS, ids=lambda file: file.stem)
def test_the_plan_that_a_recipe_names_is_of_its_settings(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stable Diffusion's autoencoder makes 4 numbers of 8 x 8 pixels."""
    comment = " ".join(
        line.removeprefix("#").strip(" \\") for line in recipe.read_text().splitlines() if line[:1] == "#"
    )
    command = re.search(r"python -m pipelines\.(plan .*?--network \".*?\")", comment)
    assert command is not None
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", shlex.split(command[1]))
    asked = plan.read()
    given = settings.read_recipe(recipe.stem, ROOT)
    chosen = params.parse(yaml.safe_load(settings.merged((ROOT / params.FILE).read_text(), given, {})))
    params.require_nfe(chosen)
    side = chosen.dataset.image_size // 8
    assert (asked.shape, asked.network) == ((4, side, side), Network.of(chosen.network.choice))
    assert asked.fields.keys() == {"text" if isinstance(chosen.dataset.condition, params.Captions) else "label"}
    assert (asked.batch_size, asked.devices, asked.precision) == (
        chosen.train.batch_size, chosen.train.devices, chosen.train.precision,
    )  # fmt: skip
    assert "NOT RUN HERE" in comment


def test_a_recipe_in_latents_is_refused_until_the_autoencoder_is_there(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    given = {"dataset.path": str(tmp_path / "pictures")}
    with pytest.raises(UserError, match=r"codec\.autoencoder = starts/sd-vae: must be a folder with a trained network"):
        planned(ROOT, given, "imagenet-256-8gpu")
