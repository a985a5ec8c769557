"""Start, ask, use, stop and start again: the services as a team has them."""

import json
import os
import ssl
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
import psutil
import pytest
from mlflow import MlflowClient

from infra.services import programs, seaweedfs
from infra.services.programs import HOME
from pipelines.records.logins import basic
from tests.services.conftest import ALONE, QUICK, Services, branch_of, processes_of, wait_until

pytestmark = [pytest.mark.services, pytest.mark.timeout(1200)]


LOGINS = ("PREFECT_ADMIN_PASSWORD", "PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def store(services: Services) -> MlflowClient:
    os.environ.update({name: value for name, value in services.settings.items() if name.startswith("MLFLOW_TRACKING")})
    return MlflowClient(services.settings["MLFLOW_TRACKING_URI"])


def test_all_answer_and_starting_again_changes_nothing(services: Services) -> None:
    before = (services.project.folder / ".env").read_bytes()
    said = services.make("services-status")
    assert [line.split()[1] for line in said.splitlines() if "RUNNING" in line] == ["answers"] * 5
    services.make("services")
    assert (services.project.folder / ".env").read_bytes() == before


def test_they_listen_on_loopback_alone(services: Services) -> None:
    supervisor = psutil.Process(int((services.project.folder / ".services/supervisord.pid").read_text()))
    heard = {
        connection.laddr.ip
        for process in supervisor.children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert heard == {"127.0.0.1"}


def test_no_password_is_on_a_command_line(services: Services) -> None:
    secret = [value for name, value in services.settings.items() if "PASSWORD" in name or "SECRET" in name]
    assert len(secret) >= 9
    lines = " ".join(" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    assert not [one for one in secret if one in lines]


@pytest.mark.parametrize("host", [None, "elsewhere.example"], ids=["by its address", "by a name of its own for it"])
def test_who_has_no_login_is_refused(services: Services, host: str | None) -> None:
    """The second is what a page elsewhere can do to a browser here: that has no login to send along."""
    settings = services.settings
    mlflow, prefect = f"{settings['MLFLOW_TRACKING_URI']}/api/2.0/mlflow", settings["PREFECT_API_URL"]
    named = {} if host is None else {"Host": host}
    asked = {
        f"{mlflow}/experiments/search?max_results=1": None,
        f"{mlflow}/registered-models/create": {"name": "a-stranger-s"},
        f"{prefect}/admin/version": None,
        f"{prefect}/deployments/filter": {},
        f"{prefect}/work_pools/": {"name": "a-stranger-s", "type": "process"},
    }
    answers = {url: by_a_stranger(ASK, url, {**JSON, **named}, content) for url, content in asked.items()}
    assert answers == {url: "403" if host and url.startswith(mlflow) else "401" for url in asked}


def test_the_store_s_own_ports_are_for_those_with_its_certificate(services: Services) -> None:
    own = seaweedfs.internal_ports(services.settings)
    for port in own:
        for scheme in ("http", "https"):
            assert by_a_stranger(ASK, f"{scheme}://127.0.0.1:{port}/buckets/", {}, None) in REFUSED, port
    used = {one.laddr for one in psutil.net_connections("unix")}  # one of the same number may be left of a killed store
    folder = Path(tempfile.gettempdir())
    sockets = [path for port in own for path in folder.glob(f"seaweedfs-*-{port}.sock") if str(path) in used]
    assert sockets, "it has these beside the ports, where there is no TLS"
    assert [path for path in sockets if path.stat().st_mode & 0o077] == []
    certificate = services.project.folder / HOME / "s3" / seaweedfs.CERTIFICATE
    context = ssl.create_default_context(cafile=certificate)
    context.load_cert_chain(certificate)
    filer = own[seaweedfs.INTERNAL.index("filer.port")]
    with urlopen(f"https://127.0.0.1:{filer}/buckets/", context=context, timeout=30) as response:
        assert response.status == 200, "who has it is let in: this is how it is asked"


def test_what_the_services_keep_is_for_their_owner_s_eyes(services: Services) -> None:
    folder = services.project.folder
    home = folder / HOME
    kept = [folder / ".env", *(home / name for name in ("s3", "logs", "postgres", "prefect"))]
    assert [path for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    supervisor = psutil.Process(int((home / "supervisord.pid").read_text()))
    closed = [
        folder / ".env",
        home / programs.MLFLOW_AUTH_FILE,
        home / "s3" / seaweedfs.CERTIFICATE,
        *(Path(f"/proc/{process.pid}/environ") for process in supervisor.children()),
    ]
    assert {str(path): by_a_stranger(READ, str(path)) for path in closed} == dict.fromkeys(map(str, closed), "denied")


JSON = {"Content-Type": "application/json"}
REFUSED = ("400", "ConnectionResetError", "RemoteDisconnected", "SSLError", "URLError", "BadStatusLine")
"""Of a port that speaks TLS: plain HTTP is a bad request, and without a certificate there is no connection."""
STRANGER = """
import encodings.idna, http.client, json, os, pwd, ssl, sys, urllib.error, urllib.request
other = pwd.getpwnam("nobody")  # what he needs is read before: he may not reach Python itself
os.setgroups([])
os.setgid(other.pw_gid)
os.setuid(other.pw_uid)
"""
ASK = """
url, headers, content = map(json.loads, sys.argv[1:])
sent = None if content is None else json.dumps(content).encode()
try:
    with urllib.request.urlopen(
        urllib.request.Request(url, sent, headers), timeout=30, context=ssl._create_unverified_context()
    ) as response:
        print(response.status)
except urllib.error.HTTPError as error:
    print(error.code)
except Exception as error:
    print(type(error).__name__)
"""
READ = """
try:
    open(json.loads(sys.argv[1]), "rb").read(1)
    print("read")
except PermissionError:
    print("denied")
"""


def by_a_stranger(program: str, *arguments: object) -> str:
    """What a program prints that somebody runs who has another login here; as root we can be one."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    command = [sys.executable, "-I", "-c", STRANGER + program, *(json.dumps(one) for one in arguments)]
    done = subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Host": "elsewhere.example"}, None),
        ({"Origin": "http://elsewhere.example"}, {"name": "written-from-elsewhere"}),
    ],
    ids=["by a name of its own for this machine", "writing from its own place"],
)
def test_mlflow_refuses_what_a_page_elsewhere_asks_of_the_browser_here(
    services: Services, headers: dict[str, str], content: dict[str, str] | None
) -> None:
    path = "experiments/create" if content else "experiments/search?max_results=1"
    url = f"{services.settings['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{path}"
    sent = None if content is None else json.dumps(content).encode()
    with_login = basic(
        f"admin:{services.settings['MLFLOW_TRACKING_PASSWORD']}"
    )  # which a browser sends along by itself
    with pytest.raises(HTTPError) as raised:
        urlopen(Request(url, sent, {**JSON, **with_login, **headers}), timeout=30)
    assert raised.value.code == 403
    assert store(services).get_experiment_by_name("written-from-elsewhere") is None


def test_prefect_lets_no_page_elsewhere_use_the_browser_here(services: Services) -> None:
    own = services.settings["PREFECT_API_URL"].removesuffix("/api")
    assert (allowed_by_prefect(services, own), allowed_by_prefect(services, "http://elsewhere.example")) == (own, None)


def allowed_by_prefect(services: Services, origin: str) -> str | None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    request = Request(f"{services.settings['PREFECT_API_URL']}/flow_runs/filter", headers=asked, method="OPTIONS")
    try:
        with urlopen(request, timeout=30) as response:
            return response.headers.get("Access-Control-Allow-Origin")
    except HTTPError as error:
        return error.headers.get("Access-Control-Allow-Origin")


def test_a_triggered_run_leaves_a_branch_and_the_checkout_alone(services: Services, first_run: dict[str, Any]) -> None:
    folder, branch = services.project.folder, branch_of(first_run)
    assert first_run["name"].startswith("digits, ")
    assert "images_seen 1280" in first_run["name"]
    assert git(services, "status", "--short") == ""
    assert not (folder / "metrics/evaluate").exists()
    assert json.loads(git(services, "show", f"{branch}:metrics/train/diffusion.json"))["images_seen"] == 1280
    assert "images_seen: 1280" in git(services, "show", f"{branch}:params.yaml")
    assert list((folder / ".cache" / "runs").iterdir()) == []


def test_runs_and_models_are_in_mlflow_and_its_files_in_s3(services: Services, first_run: dict[str, Any]) -> None:
    version = store(services).get_model_version_by_alias("digits-generator", "champion")
    assert version.tags["prefect.flow_run_id"] == first_run["id"]
    bucket = boto3.resource(
        "s3",
        endpoint_url=services.settings["AWS_ENDPOINT_URL"],
        aws_access_key_id=services.settings["S3_READER_ACCESS_KEY_ID"],
        aws_secret_access_key=services.settings["S3_READER_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    ).Bucket("flow-or-diffusion-models")
    assert any(found.key.endswith("model.safetensors") for found in bucket.objects.all())


def test_the_lineage_reaches_from_the_model_to_the_prefect_run(services: Services, first_run: dict[str, Any]) -> None:
    said = services.project.run("python", "-m", "pipelines.lineage", "digits-generator@champion").stdout
    assert f"{first_run['id']}" in said
    assert "unknown" not in said
    assert "missing" not in said


def test_and_from_the_prefect_run_back_to_the_model(services: Services, first_run: dict[str, Any]) -> None:
    for asked in (("--run", first_run["id"]), ("--commit", "HEAD")):
        said = services.project.run("python", "-m", "pipelines.lineage", *asked).stdout
        assert "digits-generator/1" in said, asked


def test_what_was_done_is_not_done_again(services: Services, first_run: dict[str, Any]) -> None:
    again = services.ended(services.run_deployment("pipeline/pipeline", overrides=QUICK))
    assert again["state"]["type"] == "COMPLETED"
    assert "executed" not in again["state"]["message"]
    assert len(store(services).search_model_versions("name = 'digits-generator'")) == 1


def test_a_mistake_fails_before_anything_starts(services: Services) -> None:
    failed = services.ended(services.run_deployment("pipeline/pipeline", overrides={"train.images_sen": 1}), 120)
    assert failed["state"]["type"] == "FAILED"
    assert "train.images_sen" in failed["state"]["message"]
    assert not services.prefect("task_runs/filter", {"flow_runs": {"id": {"any_": [failed["id"]]}}})


def test_two_runs_go_on_at_once(services: Services, first_run: dict[str, Any]) -> None:
    runs = [services.run_deployment("pipeline/pipeline", overrides=ALONE | {"train.seed": seed}) for seed in (2, 3)]
    ended = [services.ended(run, 900) for run in runs]
    assert {one["state"]["type"] for one in ended} == {"COMPLETED"}
    assert max(one["start_time"] for one in ended) < min(one["end_time"] for one in ended)
    for seed, one in zip((2, 3), ended, strict=True):
        assert f"seed: {seed}\n" in git(services, "show", f"{branch_of(one)}:params.yaml")


def test_promote_and_roll_back_by_deployment(services: Services, first_run: dict[str, Any]) -> None:
    registry = store(services)
    before = registry.get_model_version_by_alias("digits-generator", "champion").version
    other = next(
        one.version
        for one in registry.search_model_versions("name = 'digits-generator'")
        if str(one.version) != str(before)
    )
    asked = {"model": "digits-generator", "reason": "to see it", "version": int(other), "against_the_gate": True}
    promoted = services.ended(services.run_deployment("promote/promote", **asked), 120)
    assert promoted["state"]["type"] == "COMPLETED", promoted["state"]
    assert str(registry.get_model_version_by_alias("digits-generator", "champion").version) == str(other)
    services.ended(services.run_deployment("rollback/rollback", model="digits-generator", reason="seen"), 120)
    assert str(registry.get_model_version_by_alias("digits-generator", "champion").version) == str(before)


def test_mlflow_killed_outright_comes_back_on_its_port(services: Services) -> None:
    def state() -> str:
        return next(line for line in services.make("services-status", check=False).splitlines() if "mlflow " in line)

    pid = state().split("pid ")[1].split(",")[0]
    psutil.Process(int(pid)).kill()
    wait_until(lambda: "answers" in (now := state()) and "RUNNING" in now and f"pid {pid}," not in now, 300)


def test_stopped_nothing_is_left_running_and_started_again_all_is_there(
    services: Services, first_run: dict[str, Any], tmp_path: Path
) -> None:
    """With an .env from before there were logins, too: it gets them."""
    services.make("services-stop")
    assert processes_of(services.project.folder) == []
    file = services.project.folder / ".env"
    before = [line for line in file.read_text().splitlines() if not line.startswith(LOGINS)]
    file.write_text("\n".join([*before, "MLFLOW_AUTH=off", ""]))

    services.make("services")

    services.refresh()
    assert {"PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_PASSWORD"} <= services.settings.keys()
    assert "MLFLOW_AUTH" not in services.settings
    assert services.prefect(f"flow_runs/{first_run['id']}")["state"]["type"] == "COMPLETED"
    assert store(services).get_model_version_by_alias("digits-generator", "champion")
    generated(services, tmp_path)


def test_what_was_saved_comes_back_after_everything_is_lost(services: Services, tmp_path: Path) -> None:
    before = generated(services, tmp_path)
    services.make("services-save", f"TO={tmp_path / 'backup'}")
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700
    for refused in ((), (f"FROM={tmp_path}",)):
        assert "restored from" not in services.make("services-restore", *refused, check=False)
    services.make("services-status")

    services.run_deployment("pipeline/pipeline", overrides=ALONE | {"train.images_seen": 1280000})
    folder = services.project.folder
    wait_until(lambda: any("pipelines.train" in line for line in processes_of(folder)), 300)
    services.make("services-stop")
    assert processes_of(folder) == []
    assert list((folder / ".cache" / "runs").iterdir()) == [], "the run could end as it should"
    services.project.run("python", "-c", "import shutil; shutil.rmtree('.services')")
    (services.project.folder / ".env").unlink()

    services.make("services-restore", f"FROM={tmp_path / 'backup'}")

    services.refresh()
    assert generated(services, tmp_path) == before


def generated(services: Services, folder: Path) -> bytes:
    """Four images by the champion. Not in the checkout: other tests say that it is left alone."""
    picture = folder / "images.png"
    said = services.project.run("python", "-m", "pipelines.generate", "--count", "4", "--out", str(picture)).stdout
    assert f"4 images in {picture}" in said
    return picture.read_bytes()


def git(services: Services, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=services.project.folder, capture_output=True, text=True, check=True)
    return done.stdout
