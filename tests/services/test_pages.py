"""What people do on Prefect's and MLflow's pages, in a browser; without one, what of it the API can do instead."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page

from tests.services.browser import CHROMIUM, go, needs_chromium, open_page
from tests.services.conftest import ALONE, QUICK, Services, branch_of, processes_of, wait_until
from tests.services.test_services import git, store

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]

ASKED = "asked-generator"
LONGER = ALONE | {
    "network.multipliers": None,
    "train.images_seen": 25600,
    "train.checkpoint_every": 20,
    "register.model_name": "resumed-generator",
}


def either(by_page: Callable[..., None], by_api: Callable[..., None]) -> pytest.MarkDecorator:
    """A test that acts on a page, and through the API only where no browser is: these runs take minutes."""
    instead = pytest.mark.skipif(CHROMIUM is not None, reason="by_page does it: there is a Chromium")
    ways = [pytest.param(by_page, id="by_page", marks=needs_chromium), pytest.param(by_api, id="by_api", marks=instead)]
    return pytest.mark.parametrize("act", ways)


@pytest.fixture
def page(services: Services, tmp_path: Path) -> Iterator[Page]:
    """It leaves a picture of how it looked last."""
    with open_page(services.settings) as opened:
        yield opened
        opened.screenshot(path=tmp_path / "page.png")


@needs_chromium
def test_a_run_is_triggered_by_the_form_of_its_deployment(
    services: Services, first_run: dict[str, Any], page: Page
) -> None:
    before = runs(services).keys()
    go(page, services.settings, "/deployments")
    page.get_by_role("link", name="pipeline", exact=True).first.click()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Custom run").click()
    page.get_by_text('dotted keys of params.yaml and their values, for instance {"dataset.name": "digits"}.').wait_for()
    page.get_by_text("reports on the branch runs/<name of the run>. None runs here").wait_for()

    overrides = page.locator(".schema-form-property-any-of-input", has=page.get_by_text("overrides (Optional)"))
    overrides.get_by_role("button", name="dict", exact=True).click()
    overrides.get_by_role("textbox").fill(json.dumps(QUICK))
    page.get_by_role("button", name="Submit").click()

    wait_until(lambda: runs(services).keys() - before, 60)
    (run,) = runs(services).keys() - before
    found = services.ended(run)
    assert found["state"]["type"] == "COMPLETED", services.log(run)
    assert found["parameters"]["overrides"] == QUICK
    assert found["parameters"]["revision"] == "HEAD"


@needs_chromium
def test_mlflow_shows_a_run_and_its_stages(services: Services, first_run: dict[str, Any], page: Page) -> None:
    page.goto(services.settings["MLFLOW_TRACKING_URI"])
    page.get_by_text("Model training", exact=True).click()
    page.get_by_role("link", name="digits", exact=True).first.click()
    page.get_by_role("link", name=first_run["name"], exact=True).click()
    page.get_by_role("heading", name=first_run["name"], exact=True).wait_for()
    for stage in ("train@flow_matching", "train@diffusion", "evaluate@flow_matching", "evaluate@diffusion"):
        page.get_by_role("link", name=stage).first.wait_for()


@needs_chromium
def test_mlflow_shows_a_version_s_card_with_its_picture(
    services: Services, first_run: dict[str, Any], page: Page
) -> None:
    page.goto(f"{services.settings['MLFLOW_TRACKING_URI']}/#/models/digits-generator/versions/1")
    page.get_by_role("heading", name="How good it is").wait_for()
    picture = page.locator("img[src*='samples.png']")
    wait_until(lambda: picture.evaluate("image => image.naturalWidth") > 0, 60)


def test_the_schedule_is_off_until_it_is_turned_on(services: Services) -> None:
    deployment = services.prefect("deployments/name/pipeline/pipeline")
    (schedule,) = deployment["schedules"]
    path = f"deployments/{deployment['id']}/schedules/{schedule['id']}"
    assert not schedule["active"]
    assert scheduled(services) == []
    change(services, "PATCH", path, active=True)
    try:
        wait_until(lambda: scheduled(services), 150)  # Prefect looks once a minute
        assert {one["expected_start_time"][11:16] for one in scheduled(services)} == {"02:00"}
    finally:
        change(services, "PATCH", path, active=False)
    assert scheduled(services) == []


def test_the_trigger_is_off_until_it_is_turned_on(services: Services) -> None:
    (trigger,) = (one for one in services.prefect("automations/filter", {}) if one["name"] == "data-changed")
    assert not trigger["enabled"]
    before = runs(services).keys()
    with nobody_takes_runs(services):
        tell_of_data(services)
        change(services, "PATCH", f"automations/{trigger['id']}", enabled=True)
        try:
            tell_of_data(services)
            wait_until(lambda: runs(services).keys() - before, 60)
        finally:
            change(services, "PATCH", f"automations/{trigger['id']}", enabled=False)
        (started,) = (one for name, one in runs(services).items() if name not in before)  # not one for the first too
        change(services, "DELETE", f"flow_runs/{started['id']}")
    assert started["created_by"]["display_value"] == "data-changed"
    assert started["parameters"] == {"revision": "HEAD"}


def answer_by_page(services: Services, run: str, approved: bool, by: str) -> None:
    with open_page(services.settings) as page:
        go(page, services.settings, f"/runs/flow-run/{run}")
        page.get_by_role("button", name="Resume", exact=True).click()
        form = page.get_by_role("dialog")
        form.get_by_text("whether the champion shall be changed so").wait_for()
        form.get_by_role("textbox").fill(by)
        if approved:
            form.get_by_role("switch").click()
        form.get_by_role("button", name="Submit").click()
        form.wait_for(state="hidden")


def answer_by_api(services: Services, run: str, approved: bool, by: str) -> None:
    services.prefect(f"flow_runs/{run}/resume", {"run_input": {"approved": approved, "by": by}})


@either(answer_by_page, answer_by_api)
def test_a_person_is_asked_and_is_on_record(
    services: Services, first_run: dict[str, Any], act: Callable[..., None]
) -> None:
    registry = store(services)
    two_versions(registry)
    wish = {"model": ASKED, "version": 2, "reason": "to see it", "against_the_gate": True, "ask_first": True}

    def ask(approved: bool, by: str) -> tuple[str, str]:
        run = services.run_deployment("promote/promote", **wish)
        services.wait(run, ("PAUSED",), 120)
        act(services, run, approved, by)
        state = services.ended(run, 120)["state"]
        return state["type"], state["message"]

    assert ask(False, "Mallory") == ("FAILED", "Mallory has not approved")
    model = registry.get_registered_model(ASKED)
    assert (model.aliases, model.tags) == ({"champion": "1"}, {})

    assert ask(True, "Ada")[0] == "COMPLETED"
    model = registry.get_registered_model(ASKED)
    assert model.aliases["champion"] == "2"
    line = json.loads(model.tags["champion.history.0001"])
    assert (line["by"], line["version"], line["replaced"]) == ("Ada", "2", "1")


def cancel_by_page(services: Services, run: str) -> None:
    with open_page(services.settings) as page:
        go(page, services.settings, f"/runs/flow-run/{run}")
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
        page.get_by_role("dialog").wait_for(state="hidden")


def cancel_by_api(services: Services, run: str) -> None:
    services.prefect(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})


@either(cancel_by_page, cancel_by_api)
def test_a_cancelled_run_leaves_no_process_and_the_next_resumes(services: Services, act: Callable[..., None]) -> None:
    folder = services.project.folder
    run = services.run_deployment("pipeline/pipeline", overrides=LONGER)
    wait_until(lambda: list((folder / ".cache/checkpoints").glob("train@*/*/*.ckpt")), 300)
    act(services, run)
    wait_until(lambda: not [line for line in processes_of(folder) if "pipelines." in line], 40)
    assert services.wait(run, ("CANCELLED",), 60)
    assert list((folder / ".cache" / "runs").iterdir()) == []

    resumed = services.ended(services.run_deployment("pipeline/pipeline", overrides=LONGER), 800)

    assert resumed["state"]["type"] == "COMPLETED", services.log(resumed["id"])
    assert json.loads(git(services, "show", f"{branch_of(resumed)}:metrics/train/flow_matching.json"))["resumed"]


def runs(services: Services) -> dict[str, dict[str, Any]]:
    """The runs of the deployment pipeline, by their ids."""
    found = services.prefect("flow_runs/filter", {"deployments": {"name": {"any_": ["pipeline"]}}})
    return {one["id"]: one for one in found}


def scheduled(services: Services) -> list[dict[str, Any]]:
    return [one for one in runs(services).values() if one["state"]["type"] == "SCHEDULED"]


def change(services: Services, method: str, path: str, **content: Any) -> None:
    """PATCH or DELETE, which Prefect answers with nothing."""
    url, sent = f"{services.settings['PREFECT_API_URL']}/{path}", json.dumps(content).encode()
    headers = {"Content-Type": "application/json", **services.login}
    with urlopen(Request(url, sent, headers, method=method), timeout=30):
        pass


@contextmanager
def nobody_takes_runs(services: Services) -> Iterator[None]:
    change(services, "PATCH", "work_pools/pipeline/queues/cpu", is_paused=True)
    try:
        yield
    finally:
        change(services, "PATCH", "work_pools/pipeline/queues/cpu", is_paused=False)


def tell_of_data(services: Services) -> None:
    """Emit the event that docs/operate.md names; back when Prefect has it."""
    known = {"filter": {"event": {"name": ["data.changed"]}}}
    before = services.prefect("events/filter", known)["total"]
    services.project.run("prefect", "event", "emit", "data.changed", "--resource-id", "dataset")
    wait_until(lambda: services.prefect("events/filter", known)["total"] > before, 60)


def two_versions(registry: MlflowClient) -> None:
    """A model of its own with two versions, of which the first is the champion."""
    for _ in range(2):
        registry.copy_model_version("models:/digits-generator@champion", ASKED)
    registry.set_registered_model_alias(ASKED, "champion", "1")
