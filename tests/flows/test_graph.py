import os
from pathlib import Path

import pytest
import yaml

from flows import graph
from fm.data.folder_contents import FolderError
from pipelines.project import ROOT
from tests.flows import project


def test_our_own_graph_has_the_stages_and_edges_of_dvc_yaml() -> None:
    stages = graph.read(ROOT)
    assert set(stages["compare"]) >= {"evaluate@flow_matching", "evaluate@diffusion"}
    assert set(stages["evaluate@diffusion"]) == {"resolve", "prepare", "features", "train@diffusion"}
    assert stages["prepare"] == ("resolve",)
    assert stages["resolve"] == ()


def test_a_stage_comes_after_those_it_needs(tmp_path: Path) -> None:
    root = project.make(tmp_path / "project", project.DIAMOND)
    stages = graph.read(root)
    assert list(stages) in (["first", "left", "right", "last"], ["first", "right", "left", "last"])
    assert set(stages["last"]) == {"left", "right"}


def test_changes_are_empty_only_where_there_is_nothing_to_do(tmp_path: Path) -> None:
    root = project.make(tmp_path / "project", project.DIAMOND)
    assert set(graph.changes(root)) == {"first", "left", "right", "last"}
    (root / "side.py").write_text("import sys; open(sys.argv[1] + '.txt', 'w')")  # one after the other here
    graph.ask(root, "repro")
    assert graph.changes(root) == {}


def test_what_ends_in_the_first_stage_is_no_change(tmp_path: Path) -> None:
    stages = """
    resolve: {cmd: head -n 1 code.txt > inputs.txt, deps: [code.txt], outs: [inputs.txt]}
    last: {cmd: cat inputs.txt > last.txt, deps: [inputs.txt], outs: [last.txt]}
    """
    root = project.make(tmp_path / "project", stages)
    (root / "code.txt").write_text("1\n")
    assert set(graph.changes(root)) == {"resolve", "last"}
    graph.ask(root, "repro")
    (root / "code.txt").write_text("1\nwords\n")
    assert graph.changes(root) == {}
    (root / "code.txt").write_text("2\nwords\n")
    assert set(graph.changes(root)) == {"last"}


def test_a_file_that_dvc_cannot_read_is_an_error_in_dvcs_words(tmp_path: Path) -> None:
    root = project.make(tmp_path / "project", "one: {outs: [a]}")
    with pytest.raises(graph.GraphError, match=r"dvc dag: .*dvc.yaml"):
        graph.read(root)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("image-folder", "png"), ("video-folder", "mp4"), ("volume-folder", "nii.gz"), ("field-files", "nc")],
)
def test_links_to_folders_are_what_dvc_does_not_see(tmp_path: Path, name: str, suffix: str) -> None:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    settings["dataset"] |= {"name": name, "path": "pictures"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    for folder in ("pictures/dogs", "cats"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"1.{suffix}").touch()
    (tmp_path / f"pictures/dogs/2.{suffix}").symlink_to(f"../../cats/1.{suffix}")
    assert graph.unseen(tmp_path) == set()
    (tmp_path / "pictures/cats").symlink_to("../cats")
    assert graph.unseen(tmp_path) == {"prepare"}
    os.mkfifo(tmp_path / "pictures/dogs/pipe")
    with pytest.raises(FolderError, match="pictures: dogs/pipe is a named pipe; remove it"):
        graph.unseen(tmp_path)
    settings["dataset"]["name"] = "digits"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings))
    assert graph.unseen(tmp_path) == set()


@pytest.mark.parametrize("content", ["", '{"read": {'])
def test_locks_that_a_crash_left_half_written_are_forgotten(tmp_path: Path, content: str) -> None:
    root = project.make(tmp_path / "project", "one: {cmd: echo 1 > one.txt, outs: [one.txt]}")
    (root / graph.PATH_LOCKS).write_text(content)
    graph.ask(root, "repro")
    assert (root / "one.txt").exists()


def test_locks_that_are_whole_stay(tmp_path: Path) -> None:
    file = tmp_path / graph.PATH_LOCKS
    file.parent.mkdir(parents=True)
    graph.forget_broken_locks(tmp_path)
    assert not file.exists()
    file.write_text('{"read": {}}')
    graph.forget_broken_locks(tmp_path)
    assert file.read_text() == '{"read": {}}'
