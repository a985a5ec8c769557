"""The file .env."""

import stat
import subprocess
from pathlib import Path

import pytest

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
    assert len(secret) == 6
    assert not {one[name] for name in secret} & {other[name] for name in secret}
    assert len({one[name] for name in secret}) == len(secret)


def test_a_shell_that_reads_it_finds_the_services(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MLFLOW_PORT=5055\n")
    chosen = env_file.settings(tmp_path)
    env_file.write(tmp_path, chosen, {"training": Key("AKIA1", "secret")})
    script = "set -a; . ./.env; set +a; env"
    seen = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env={})
    variables = dict(line.split("=", 1) for line in seen.stdout.splitlines())
    assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5055"
    assert variables["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8333"
    assert (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]) == ("AKIA1", "secret")
    assert "MLFLOW_TRACKING_USERNAME" not in variables


def test_with_authentication_a_shell_has_the_login_and_without_it_no_more(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MLFLOW_AUTH=on\n")
    chosen = env_file.settings(tmp_path)
    found = env_file.read(tmp_path)
    assert found["MLFLOW_TRACKING_USERNAME"] == "admin"
    assert found["MLFLOW_TRACKING_PASSWORD"] == chosen["MLFLOW_AUTH_ADMIN_PASSWORD"]
    env_file.write(tmp_path, chosen | {"MLFLOW_AUTH": "off"}, {})
    assert "MLFLOW_TRACKING_USERNAME" not in env_file.read(tmp_path)


def test_variables_of_the_user_s_own_and_keys_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WANDB=no\n")
    chosen = env_file.settings(tmp_path)
    keys = {"training": Key("AKIA1", "one"), "reader": Key("AKIA2", "two")}
    env_file.write(tmp_path, chosen, keys)
    assert env_file.s3_keys(env_file.read(tmp_path)) == keys
    assert env_file.read(tmp_path)["WANDB"] == "no"


@pytest.mark.parametrize(
    ("line", "error", "said"),
    [
        ("MLFLOW_PORT=http", PortError, "MLFLOW_PORT: is 'http', must be a port"),
        ("S3_PORT=80", PortError, "S3_PORT: is '80'"),
        ("MLFLOW_AUTH=yes", EnvFileError, "MLFLOW_AUTH: is 'yes', must be on or off"),
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


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder
