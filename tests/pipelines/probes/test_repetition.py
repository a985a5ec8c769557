from pathlib import Path

import numpy as np

from fm.config import SamplerConfig
from pipelines.probes.repetition import COUNT, compared, repetitions, shortest


def test_every_way_of_drawing_repeats_itself_in_another_process(generators: dict, tmp_path: Path) -> None:
    for method, generator in generators.items():
        generator.save(tmp_path / method)
    samplers = {
        "flow_matching": [SamplerConfig(solver="euler", steps=steps) for steps in (3, 2)],
        "diffusion": [SamplerConfig(solver="ddpm", steps=2), SamplerConfig(solver="ddim", steps=2, guidance=2.0)],
    }
    folders = {method: tmp_path / method for method in generators}
    found = repetitions(folders, samplers, "cpu", seed=1)
    assert {method: [(one.solver, one.steps) for one in each] for method, each in found.items()} == {
        "flow_matching": [("euler", 2)],
        "diffusion": [("ddpm", 2), ("ddim-guidance2", 2)],
    }
    each = [one for method in found.values() for one in method]
    assert {(one.bytes, one.differing) for one in each} == {(COUNT * 8 * 8, 0)}


def test_a_weaker_network_is_there_in_every_process(generators: dict, tmp_path: Path) -> None:
    generators["flow_matching"].save(tmp_path / "flow_matching")
    sampler = SamplerConfig(solver="euler", steps=2, guidance={"by": "snapshot", "scale": 2})
    there = {"flow_matching": tmp_path / "flow_matching"}
    weaker = {"flow_matching": {1: tmp_path / "flow_matching"}}
    (found,) = repetitions(there, {"flow_matching": [sampler]}, "cpu", 1, weaker)["flow_matching"]
    assert (found.solver, found.bytes, found.differing) == ("euler-guidance2-snapshot1", COUNT * 8 * 8, 0)


def test_bytes_that_differ_are_counted_in_every_drawing() -> None:
    first = np.zeros((2, 3, 3, 1), dtype=np.uint8)
    second, third = first.copy(), first.copy()
    second[0, 0, 0] = 1
    third[0, :2, 0] = 255
    assert compared(first, [second, third]) == (18, 3)


def test_one_sampler_of_fewest_steps_for_each_label() -> None:
    guided = SamplerConfig(solver="ddim", steps=9, guidance=2.0)
    given = [SamplerConfig(solver="ddim", steps=5), guided, SamplerConfig(solver="ddim", steps=2)]
    assert {(one.label, one.steps) for one in shortest(given)} == {("ddim", 2), ("ddim-guidance2", 9)}
