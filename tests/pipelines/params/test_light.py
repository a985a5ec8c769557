"""Whoever checks settings waits for nothing that computes: PyTorch alone takes two seconds to import."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from pipelines.project import ROOT

HEAVY = {"dvc", "lightning", "matplotlib", "mlflow", "prefect", "scipy", "sklearn", "torch"}
CHECKED = """
from flows.asked import planned
from flows.settings import from_arguments
from pipelines.project import ROOT
planned(ROOT, from_arguments(sys.argv[1:]), None)
"""
EVERY_KIND = [
    "methods.edm=@methods/edm.yaml",
    "methods.ot_cfm=@methods/ot_cfm.yaml",
    "methods.flow_matching_transformer=@methods/flow_matching_transformer.yaml",
    "methods.diffusion.objective.path={name: variance_preserving, beta_max: 10}",
    "dataset.name=cifar10",
    "evaluate.extractor=efficientnet_lite0",
]
RESOLVED = """
from pipelines.inputs.resolved import resolve
from pipelines.project import ROOT
resolve(ROOT)
"""
COMMAND = "import flows.pipeline"
SCHEMA = "from pipelines.params.json_schema import text; text()"


@pytest.mark.parametrize(
    ("code", "given"),
    [(CHECKED, []), (CHECKED, EVERY_KIND), (RESOLVED, []), (COMMAND, []), (SCHEMA, [])],
    ids=["the default settings", "every kind of component", "resolved", "make run", "make schema"],
)
def test_settings_are_checked_without_what_computes(code: str, given: Sequence[str]) -> None:
    program = f"import sys\n{code}\nprint(*sorted(sys.modules.keys() & {HEAVY}))"
    done = subprocess.run(
        [sys.executable, "-c", program, *given], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [])
