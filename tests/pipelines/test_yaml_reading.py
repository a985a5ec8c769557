import os
import re
import time
from pathlib import Path

import pytest

from pipelines import yaml_reading

BOMB = "a0: &a0 [x, x]\n" + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "more than 100,000 values in line 6"),
        ("a: &a [1, *a]", "an alias of what it stands in in line 1"),
        ("a: " + "[" * 2000 + "]" * 2000, "nested more than 40 deep in line 1"),
        ("train:\n  seed: 1\n  batch_size: 3\n  seed: 2\n", "'seed' is there twice in line 4"),
        ("a: [", "in line 1"),
        ("a: 2020-13-45", "month must be in 1..12"),
        ("a: " + "9" * 5000, "not YAML: Exceeds the limit"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor for the tag"),
        ("a: \x00", "special characters are not allowed"),
        ("a: {[1]: 2}", "unhashable key"),
        ("a: '" + "x" * 200_000 + "'", "200,005 characters are too many"),
    ],
)
def test_what_is_odd_is_told_in_a_line_and_at_once(text: str, says: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=re.escape(says)) as raised:
        yaml_reading.content(text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    assert time.process_time() - started < 2


def test_aliases_that_stay_small_can_be_used() -> None:
    assert yaml_reading.content("a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}, e: 2}") == {
        "a": [1, 2], "b": [1, 2], "c": {"d": 1, "e": 2}
    }  # fmt: skip


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes("a: café".encode("utf-8-sig"))
    assert yaml_reading.read(file) == {"a": "café"}
    for encoding in ("utf-16", "latin-1"):
        file.write_bytes("a: café".encode(encoding))
        with pytest.raises(ValueError, match="not UTF-8 text: save it as UTF-8"):
            yaml_reading.read(file)
    file.write_bytes(b"a: " + b"x" * 1_000_000)
    with pytest.raises(ValueError, match="1,000,003 bytes are too many"):
        yaml_reading.read(file)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a file"):
        yaml_reading.read(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError):
        yaml_reading.read(tmp_path / "none.yaml")
