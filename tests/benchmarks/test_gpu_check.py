"""The check of a device, with the CPU in the device's place."""

import dataclasses
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import gpu_check
from benchmarks.gpu import correctness, report, resumed, section, steps
from benchmarks.gpu.agreement import Place, compared
from benchmarks.gpu.others import Clocks, taken
from benchmarks.gpu.processes import told_by
from benchmarks.gpu.rows import Check, Fault, Figure, as_line, from_line
from fm.components import known
from tests.benchmarks.sizes import TINY

CPU = torch.device("cpu")
NUMBERED = torch.device("cpu", 0)
"""The CPU too, and told apart from it."""


def test_all_that_must_hold_holds_on_a_cpu() -> None:
    rows = list(correctness.rows(CPU, TINY))
    assert [row for row in rows if not (isinstance(row, Check) and row.holds)] == []
    looked_at = " ".join(row.what for row in rows)
    for kind in ("path", "solver", "coupling", "timesteps", "target", "weight"):
        assert [name for name in known(kind) if f"{kind} {name}" not in looked_at] == []


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (1 + 1e-6, True), (1 + 1e-4, False), (float("nan"), False)])
def test_a_device_may_round_and_no_more(factor: float, holds: bool) -> None:
    def computed(place: Place) -> list[Tensor]:
        numbers = torch.tensor([0.1, 0.7], dtype=place.dtype)
        return [numbers, 1e-3 * numbers * (factor if place.device == NUMBERED else 1)]

    row = compared("two numbers", computed, NUMBERED)
    assert isinstance(row, Check)
    assert row.holds == holds


def test_what_fails_on_a_device_does_not_hold_and_what_lacks_a_package_is_left_out() -> None:
    def failing(place: Place) -> list[Tensor]:
        raise RuntimeError("no kernel\nat all")

    def lacking(place: Place) -> list[Tensor]:
        raise ImportError("No module named 'torchdiffeq'")

    failed = compared("a kernel", failing, CPU)
    assert isinstance(failed, Check)
    assert not failed.holds
    assert failed.what == "a kernel, float32: RuntimeError: no kernel"
    assert compared("a solver", lacking, CPU) == Fault("a solver, float32", "left out: No module named 'torchdiffeq'")


def test_four_packages_are_enough() -> None:
    """A machine with a GPU need not have the pipeline's."""
    lacking = ("lightning", "mlflow", "psutil", "rich", "scipy", "torchdiffeq", "yaml")
    code = f"""
import sys
sys.modules.update(dict.fromkeys({lacking}))
from functools import partial
import torch
from benchmarks.gpu import correctness, section
from benchmarks.gpu.agreement import compared
network = correctness.network_of(correctness.SHAPE, correctness.NETWORKS["UNet"])
for solver in ("euler", "dopri5"):
    print(compared(solver, partial(correctness.drawn, solver, network, correctness.Guidance()), torch.device("cpu")))
"""
    lines, wrong = told_by([sys.executable, "-c", code], seconds=300)
    assert not wrong
    assert [line.partition("(")[0] for line in lines] == ["Check", "Fault"]


def test_a_resumed_training_is_held_against_one_that_was_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows() -> dict[str, bool]:
        return {row.what: row.holds for row in resumed.rows(CPU, TINY) if isinstance(row, Check)}

    whole = rows()
    assert all(whole.values())
    assert {"by Lightning, resumed", "by Lightning, the averaged network is on cpu"} <= whole.keys()
    load = steps.Ours.load

    def forgetful(ours: steps.Ours, state: bytes) -> None:
        load(ours, state)
        ours.averaged.updates = 0

    monkeypatch.setattr(steps.Ours, "load", forgetful)
    monkeypatch.setattr(resumed, "by_lightning", lambda what, device: iter(()))
    assert {what for what, holds in rows().items() if not holds} == {
        "UNet, resumed, averaged",
        "transformer, resumed, averaged",
    }


@pytest.mark.parametrize("name", ["limits", "training", "sampling", "producer", "lightning", "objectives"])
def test_each_section_of_speed_has_figures(name: str) -> None:
    rows = list(section.SECTIONS[name](CPU, TINY))
    assert rows
    assert all(isinstance(row, Figure) for row in rows), rows


@pytest.mark.parametrize("name", ["compiled-training", "compiled-sampling"])
def test_what_is_not_measured_on_a_cpu_is_said(name: str) -> None:
    assert list(section.SECTIONS[name](CPU, TINY)) == [Fault("compiled", "not on a CPU")]


def test_what_is_compiled_is_timed_beside_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what traces a network and makes no code of it: the rest takes minutes."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    sizes = dataclasses.replace(TINY, compiled=(0,), sampled_compiled=(2,))
    rows = [row for name in ("compiled-training", "compiled-sampling") for row in section.SECTIONS[name](CPU, sizes)]
    assert all(isinstance(row, Figure) and "times as fast" in row.values for row in rows), rows
    assert len(rows) == 2


def test_sizes_of_the_paper_are_built_as_they_are() -> None:
    """DiT-B/2 has 130 million weights (Peebles & Xie 2022, table 1)."""
    from benchmarks.gpu.sizes import LARGE
    from fm.conditions import Label
    from fm.networks import Network

    assert LARGE.cases[max(LARGE.compiled)] is LARGE.cases[-1]
    with torch.device("meta"):
        network = Network.of(LARGE.cases[-1].options).build(LARGE.cases[-1].shape, {"label": Label(1000)})
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(130e6, rel=0.02)


def test_a_program_that_hangs_leaves_what_it_has_told() -> None:
    hangs = "import time; print('one', flush=True); print('tw', end='', flush=True); time.sleep(60)"
    assert told_by([sys.executable, "-c", hangs], seconds=2) == (["one"], "ended after 2 s")
    fails = "print('one'); raise ValueError('out of memory')"
    assert told_by([sys.executable, "-c", fails], seconds=60) == (["one"], "ValueError: out of memory")


ASKS = """
import sys
from benchmarks.gpu.processes import told_by
print(told_by([sys.executable, "-c", "import os; print(os.environ.get('OMP_WAIT_POLICY'))"], seconds=60)[0][0])
"""


@pytest.mark.parametrize(("given", "found"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_a_sections_threads_wait_as_our_programs_do(given: dict[str, str], found: str) -> None:
    """OpenMP reads it when PyTorch is imported, which a section does first of all."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    told = subprocess.run([sys.executable, "-c", ASKS], env=plain | given, capture_output=True, check=True, text=True)
    assert told.stdout == f"{found}\n"


def test_processors_that_others_kept_busy_are_said() -> None:
    processors = os.cpu_count() or 1
    began, all_busy = Clocks(0, 0, 0), 10.0 * processors
    assert taken(began, Clocks(10, all_busy, own=all_busy)) == ""
    told = taken(began, Clocks(10, all_busy, own=0))
    assert told == f"others kept {processors}.0 of {processors} processors busy meanwhile"


def test_what_a_program_of_ours_took_is_not_others_work() -> None:
    began = Clocks.now()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    ended = Clocks.now()
    assert ended.own - began.own > 0.05
    assert not sys.platform.startswith("linux") or ended.busy - began.busy > 0.05


def test_findings_are_written_and_the_verdict_is_theirs(tmp_path: Path) -> None:
    assert not gpu_check.main(tmp_path, 60, ["limits"])  # nothing was held against anything
    content = json.loads((tmp_path / "gpu-check.json").read_text(encoding="utf-8"))
    assert content["limits"][0]["values"]["torch"] == torch.__version__
    page = (tmp_path / "gpu-check.md").read_text(encoding="utf-8")
    assert "| matrix product of side 1024, bf16 |" in page


def test_no_time_left_is_said_and_is_no_success(tmp_path: Path) -> None:
    assert not gpu_check.main(tmp_path, 1, ["correctness", "sampling"])
    page = (tmp_path / "gpu-check.md").read_text(encoding="utf-8")
    assert "# 0 of 1 checks hold; NOT The device against the CPU, to the end: no time was left" in page
    assert "- Sampling, to the end: no time was left" in page


@pytest.mark.parametrize(
    "row", [Check("a", 0.1, 0.2), Check("fails", float("inf"), 0), Figure("a", {"x": 1, "y": "b"}), Fault("a", "why")]
)
def test_a_row_is_read_as_it_was_written(row: Check | Figure | Fault) -> None:
    assert from_line(as_line(row)) == row


def test_one_check_that_fails_decides() -> None:
    good = Check("good", 0.0, 0.0)
    assert report.correct({"a": [good], "b": [Figure("f", {})]})
    assert not report.correct({"a": [good, dataclasses.replace(good, error=1.0)]})
    assert not report.correct({"a": [Figure("f", {})]})
