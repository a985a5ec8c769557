"""What dvc.yaml says of rows that start from others, and what DVC makes of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from flows import graph
from fm.errors import UserError
from pipelines import edges, params
from pipelines.project import ROOT
from tests.flows import project
from tests.pipelines.params.written import CONTENT, changed

TEXT = (ROOT / "dvc.yaml").read_text(encoding="utf-8")


def with_rows(**starts: str) -> params.Params:
    """Settings with rows more, each of them like flow matching, that start from others."""
    row = CONTENT["methods"]["flow_matching"]
    return params.parse(
        CONTENT | {"methods": CONTENT["methods"] | {name: row | {"start": start} for name, start in starts.items()}}
    )


def test_without_such_rows_the_graph_is_as_it_comes() -> None:
    assert edges.with_edges(TEXT, params.parse(CONTENT)) == TEXT


def test_they_come_and_go() -> None:
    settings = with_rows(more="flow_matching", most="more")
    text = edges.with_edges(TEXT, settings)
    assert (
        "      more: {file: metrics/train/flow_matching.json, key: final_loss, pairs: params.yaml, digest: train}\n"
        in text
    )
    assert "      most: {file: metrics/train/more.json, key: final_loss, pairs: params.yaml, digest: train}\n" in text
    assert edges.with_edges(text, settings) == text
    assert edges.with_edges(text, with_rows(more="diffusion")) == edges.with_edges(TEXT, with_rows(more="diffusion"))
    assert edges.with_edges(text, params.parse(CONTENT)) == TEXT


def test_pairs_are_made_after_the_one_training_and_before_the_other() -> None:
    pairs = {"solver": "euler", "steps": 2, "count": 10}
    content = changed("methods.diffusion", CONTENT["methods"]["flow_matching"] | {"start": "flow_matching"})
    content["methods"]["diffusion"]["pairs"] = pairs
    text = edges.with_edges(TEXT, params.parse(content))
    assert edges.with_edges(text, params.parse(content)) == text
    assert edges.with_edges(text, params.parse(CONTENT)) == TEXT
    content["dataset"]["condition"] = "text"  # so that pairs are under captions, which encode makes tokens of
    under_captions = yaml.safe_load(edges.with_edges(TEXT, params.parse(content)))["stages"]["pairs"]["do"]["deps"]
    stages = yaml.safe_load(text)["stages"]
    assert set(under_captions) - set(stages["pairs"]["do"]["deps"]) == {"data/encoded"}
    assert "pairs" not in yaml.safe_load(TEXT)["stages"]
    assert stages["pairs"]["foreach"] == {"diffusion": "flow_matching"}
    assert stages["train"]["foreach"] == {
        "flow_matching": {"file": "params.yaml", "key": "train", "pairs": "params.yaml", "digest": "train"},
        "diffusion": {
            "file": "metrics/train/flow_matching.json",
            "key": "final_loss",
            "pairs": "artifacts/pairs/diffusion/pairs.json",
            "digest": "digest",
        },
    }


def test_another_graph_is_left_alone_and_has_no_such_rows() -> None:
    other = TEXT.replace("foreach: ${methods}", "foreach: [flow_matching]", 1)
    assert edges.with_edges(other, params.parse(CONTENT)) == other
    with pytest.raises(UserError, match=r"dvc.yaml: `train` is not as it comes"):
        edges.with_edges(other, with_rows(more="flow_matching"))


def test_whoever_has_read_the_graph_before_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(TEXT)
    content = changed("methods.diffusion.network", None)
    content["methods"]["more"] = content["methods"]["diffusion"] | {"start": "diffusion"}
    (tmp_path / "params.yaml").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"dvc.yaml: params.yaml asks for other stages, .* run this again"):
        edges.require(tmp_path)
    edges.require(tmp_path)


STAGES = """
  train:
    foreach: ${methods}
    do:
      cmd: mkdir -p metrics/train; echo {\\"final_loss\\":${key}} > metrics/train/${key}.json
      params: [train, "methods.${key}.objective", "methods.${key}.network"]
      metrics:
        - metrics/train/${key}.json: {cache: false}
"""


def test_dvc_gets_the_edge_and_trains_no_other_row_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project.make(tmp_path / "project", STAGES)
    monkeypatch.chdir(root)  # by whose place DVC calls stages
    rows: dict[str, Any] = {name: CONTENT["methods"]["flow_matching"] | {"network": None} for name in ("11", "12")}
    write(root, rows)
    graph.ask(root, "repro")
    write(root, {**rows, "13": rows["12"] | {"start": "11"}})
    assert edges.renew(root)
    with Repo(str(root)) as repo:
        assert [(after.name, before.name) for after, before in repo.index.graph.edges] == [("train@13", "train@11")]
        assert repo.status().keys() == {"train@13"}
        repo.reproduce("train@13")
        assert repo.status() == {}
    (root / "metrics/train/11.json").write_text('{"final_loss": 0.25}')  # as after another training
    with Repo(str(root)) as repo:
        assert repo.status().keys() == {"train@11", "train@13"}


def write(root: Path, rows: dict[str, Any]) -> None:
    (root / "params.yaml").write_text(json.dumps(CONTENT | {"methods": rows}))
