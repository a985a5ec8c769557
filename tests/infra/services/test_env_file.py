"""The file .env."""

import stat
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from infra.services import env_file
from infra.services.buckets import Key
from infra.services.env_file import EnvFileError
from infra.services.ports import PortError


def test_the_first_start_makes_what_the_next_ones_read(tmp_path: Path) -> None:
    first = env_file.settings(tmp_path)
    assert set(first) == set(env_file.SETTINGS)
    assert env_file.settings(tmp_path) == first
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


def test_no_two_checkouts_have_a_password_in_common(tmp_path: Path) -> None:
    one, other = (env_file.settings(make(tmp_path / name)) for name in ("one", "other"))
    secret = [name for name in one if "PASSWORD" in name or "SECRET" in name]
    assert len(secret) == 7
    assert not {one[name] for name in secret} & {other[name] for name in secret}
    assert len({one[name] for name in secret}) == len(secret)


def test_a_shell_that_reads_it_finds_the_services(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MLFLOW_PORT=5055\n")
    chosen = env_file.settings(tmp_path)
    env_file.write(tmp_path, chosen, {"training": Key("AKIA1", "secret")})
    variables = read_by_shell(tmp_path)
    assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5055"
    assert variables["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert variables["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30", "or a run by hand is taken for lost"
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8333"
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]) == ("AKIA1", "secret")
    assert variables["MLFLOW_TRACKING_USERNAME"] == "admin"
    assert variables["MLFLOW_TRACKING_PASSWORD"] == chosen["MLFLOW_AUTH_ADMIN_PASSWORD"]
    assert variables["PREFECT_API_AUTH_STRING"] == f"admin:{chosen['PREFECT_ADMIN_PASSWORD']}"


def test_a_file_from_before_there_were_logins_gets_them_and_keeps_its_keys(tmp_path: Path) -> None:
    made = env_file.settings(tmp_path)
    logins = ("PREFECT_ADMIN_PASSWORD", "PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_")
    before = [line for line in (tmp_path / ".env").read_text().splitlines() if not line.startswith(logins)]
    (tmp_path / ".env").write_text("\n".join(["MLFLOW_AUTH=off", *before, ""]))

    chosen = env_file.settings(tmp_path)

    found = env_file.read(tmp_path)
    assert found["PREFECT_API_AUTH_STRING"] == f"admin:{chosen['PREFECT_ADMIN_PASSWORD']}"
    assert found["MLFLOW_TRACKING_PASSWORD"] == made["MLFLOW_AUTH_ADMIN_PASSWORD"]
    assert chosen["POSTGRES_PASSWORD"] == made["POSTGRES_PASSWORD"]
    assert "MLFLOW_AUTH" not in found


def test_variables_of_the_user_s_own_and_keys_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WANDB=no\n")
    chosen = env_file.settings(tmp_path)
    keys = {"training": Key("AKIA1", "one"), "reader": Key("AKIA2", "two")}
    env_file.write(tmp_path, chosen, keys)
    assert env_file.s3_keys(env_file.read(tmp_path)) == keys
    assert env_file.read(tmp_path)["WANDB"] == "no"


OWN = """\
# Ours: ask Ada.
BAR='x $(id) "y"'   # quoted
export SPACED="a  b"

  # indented
"""


def test_the_user_s_own_lines_mean_the_same_to_a_shell_and_to_python_afterwards(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"MLFLOW_PORT='5055'\n{OWN}")
    chosen = env_file.settings(tmp_path)
    env_file.write(tmp_path, chosen, {"training": Key("AKIA1", "a/b+c")})
    text = (tmp_path / ".env").read_text()
    assert OWN in text
    env_file.write(tmp_path, chosen, {"training": Key("AKIA1", "a/b+c")})
    assert (tmp_path / ".env").read_text() == text

    wanted = {"BAR": 'x $(id) "y"', "SPACED": "a  b", "MLFLOW_PORT": "5055", "AWS_SECRET_ACCESS_KEY": "a/b+c"}
    by_python, by_shell = dotenv_values(tmp_path / ".env"), read_by_shell(tmp_path)
    for name, value in wanted.items():
        assert (by_python[name], by_shell[name]) == (value, value), name


def test_a_value_of_ours_that_a_shell_would_run_is_quoted(tmp_path: Path) -> None:
    env_file.write(tmp_path, env_file.settings(tmp_path), {"training": Key("AKIA1", "a $(id) b")})
    assert read_by_shell(tmp_path)["AWS_SECRET_ACCESS_KEY"] == "a $(id) b"
    assert env_file.read(tmp_path)["AWS_SECRET_ACCESS_KEY"] == "a $(id) b"


WORKER = {
    "PREFECT_API_URL": "https://prefect.example/api",
    "PREFECT_API_AUTH_STRING": "admin:one",
    "MLFLOW_TRACKING_URI": "https://mlflow.example",
    "MLFLOW_TRACKING_USERNAME": "admin",
    "MLFLOW_TRACKING_PASSWORD": "two",
    "AWS_ENDPOINT_URL": "https://s3.example",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIA1",
    "AWS_SECRET_ACCESS_KEY": "secret",
}


def test_a_worker_elsewhere_has_the_addresses_of_its_file(tmp_path: Path) -> None:
    text = "".join(f"{name}={value}\n" for name, value in WORKER.items())
    write_for_owner(tmp_path / ".env", text)
    assert WORKER.items() <= env_file.around_worker(tmp_path).items()
    assert (tmp_path / ".env").read_text() == text


def test_what_a_worker_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WORKER:
        monkeypatch.delenv(name, raising=False)
    there = ("PREFECT_API_URL", "AWS_DEFAULT_REGION")
    write_for_owner(tmp_path / ".env", "".join(f"{name}={WORKER[name]}\n" for name in there))
    lacking = ", ".join(name for name in WORKER if name not in there)
    with pytest.raises(EnvFileError, match=rf"\.env: {lacking}: must be there for a worker"):
        env_file.around_worker(tmp_path)


def test_a_worker_s_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    write_for_owner(tmp_path / ".env", "".join(f"{name}={value}\n" for name, value in WORKER.items()))
    (tmp_path / ".env").chmod(0o640)
    with pytest.raises(EnvFileError, match=r"\.env: others can read it, and it has keys: chmod 600 \.env"):
        env_file.around_worker(tmp_path)


def test_on_the_services_machine_a_worker_has_all_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WORKER:
        monkeypatch.delenv(name, raising=False)
    env_file.write(tmp_path, env_file.settings(tmp_path), {"training": Key("AKIA1", "secret")})
    assert env_file.around_worker(tmp_path)["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("MLFLOW_PORT=http", PortError, "MLFLOW_PORT: is 'http', must be a port"),
        ("S3_PORT=80", PortError, "S3_PORT: is '80'"),
        ("POSTGRES_PASSWORD=it's", EnvFileError, "POSTGRES_PASSWORD: must be letters, digits and hyphens alone"),
    ],
)
def test_a_value_that_cannot_be_is_named_and_nothing_written(
    tmp_path: Path, line: str, error: type[Exception], said: str
) -> None:
    (tmp_path / ".env").write_text(f"{line}\n")
    with pytest.raises(error, match=said):
        env_file.settings(tmp_path)
    assert (tmp_path / ".env").read_text() == f"{line}\n"


def read_by_shell(folder: Path) -> dict[str, str]:
    script = "set -a; . ./.env; set +a; env"
    seen = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, text=True, check=True, env={})
    return dict(line.split("=", 1) for line in seen.stdout.splitlines())


def write_for_owner(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text)


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
