"""A study by its deployment: it leaves the checkout alone, and what it finds is on a branch."""

import json
import subprocess

import pytest
import yaml

from tests.services.conftest import QUICK, Services
from tests.test_study import TINY

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]


def test_a_study_leaves_its_results_on_a_branch_and_the_checkout_alone(services: Services) -> None:
    file = services.project.folder / "studies" / "tiny.yaml"
    file.write_text(yaml.safe_dump(TINY | {"settings": QUICK}))
    git(services, "checkout", "-q", "-b", "with-a-study")
    git(services, "add", "studies")
    git(services, "-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "-qm", "a study")
    git(services, "checkout", "-q", "-")
    assert not file.exists()
    before = git(services, "status", "--short")

    found = services.ended(services.run_deployment("study/study", name="tiny", revision="with-a-study"), 1000)

    assert found["state"]["type"] == "COMPLETED", services.log(found["id"])
    assert "on the branch runs/tiny" in found["state"]["message"]
    claims = json.loads(git(services, "show", "runs/tiny:reports/studies/tiny/comparison.json"))["claims"]
    assert {claim["id"]: claim["verdict"] for claim in claims}["determinism"] == "reproduced"
    assert git(services, "status", "--short") == before
    assert not (services.project.folder / "reports").exists()


def git(services: Services, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=services.project.folder, capture_output=True, text=True, check=True)
    return done.stdout
