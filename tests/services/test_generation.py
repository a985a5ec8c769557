"""Large sets of images by deployment: in shares here and over the queue's workers, into S3, and cancelled."""

import subprocess
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient

from pipelines.registry.model_version import FINGERPRINT, fingerprint
from tests.fm.conftest import tiny_generator
from tests.services.conftest import Services, processes_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200), pytest.mark.usefixtures("champion")]

BUCKET = "flow-or-diffusion-samples"
PLACE = f"s3://{BUCKET}/"
MODEL = "tiny-generator"


@pytest.fixture(scope="module")
def champion(services: Services, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A registered model of a few weights: a version need be no more than the generator where registration puts it."""
    folder = tmp_path_factory.mktemp("generator")
    tiny_generator().save(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in services.settings.items():
            patch.setenv(name, value)
        client = MlflowClient(services.settings["MLFLOW_TRACKING_URI"])
        run = client.create_run(client.create_experiment(MODEL))
        client.log_artifacts(run.info.run_id, str(folder), "model/artifacts/generator")
        client.create_registered_model(MODEL)
        tags = {FINGERPRINT: fingerprint(folder)}
        version = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id, tags)
        client.set_registered_model_alias(MODEL, "champion", version.version)


@pytest.fixture
def s3(services: Services) -> Any:
    """The administrator's client: who may make sets may not ask for an object's versions."""
    return boto3.client(
        "s3",
        endpoint_url=services.settings["AWS_ENDPOINT_URL"],
        aws_access_key_id=services.settings["S3_ADMIN_ACCESS_KEY_ID"],
        aws_secret_access_key=services.settings["S3_ADMIN_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )


def generated(services: Services, **parameters: Any) -> str:
    """What the run said at its end."""
    run = services.run_deployment("generate/generate", model=f"{MODEL}@champion", **parameters)
    found = services.ended(run)
    assert found["state"]["type"] == "COMPLETED", services.log(run)
    return str(found["state"]["message"])


def objects(s3: Any, prefix: str) -> dict[str, bytes]:
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


def writes(s3: Any, prefix: str) -> int:
    """How often something was written there: the bucket keeps every version."""
    return len(s3.list_object_versions(Bucket=BUCKET, Prefix=prefix)["Versions"])


def test_the_images_are_the_same_bytes_whatever_the_number_of_shares(services: Services, s3: Any) -> None:
    one = generated(services, count=450, seed=5)
    assert one == f"450 images of tiny-generator@1 are in {PLACE}tiny-generator/1/count-450-seed-5/."
    three = generated(services, count=450, seed=5, shards=3, to="three")
    assert three == f"450 images of tiny-generator@1 are in {PLACE}three/."
    made = objects(s3, "tiny-generator/1/count-450-seed-5/")
    assert sorted(made) == ["00000000.npz", "00000200.npz", "00000400.npz", "settings.json"]
    assert objects(s3, "three/") == made

    assert generated(services, count=450, seed=5, to="three") == f"{three} All were there before."
    assert writes(s3, "three/") == 4

    over = generated(services, count=450, seed=5, shards=2, to="over", queue="cpu")
    assert over == f"450 images of tiny-generator@1 are in {PLACE}over/."
    assert objects(s3, "over/") == made
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=services.project.folder, capture_output=True, text=True)
    assert [one["parameters"]["revision"] for one in shares(services)] == [head.stdout.strip()] * 2


def shares(services: Services) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = services.prefect("flow_runs/filter", {"flows": {"name": {"any_": ["shard"]}}})
    return found


def test_a_cancelled_run_leaves_no_process_and_no_checkout(services: Services, s3: Any) -> None:
    run = services.run_deployment("generate/generate", model=f"{MODEL}@champion", count=1000000, to="cancelled")
    wait_until(lambda: "00000000.npz" in objects(s3, "cancelled/"), 120)
    services.prefect(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    wait_until(lambda: not [line for line in processes_of(services.project.folder) if "pipelines." in line], 40)
    assert services.wait(run, ("CANCELLED",), 60)
    assert list((services.project.folder / ".cache" / "runs").iterdir()) == []
