import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from s3fs import S3FileSystem
from torch.distributed import checkpoint as dcp

from fm.errors import TryLater, UserError
from fm.training.checkpoint_folders import MARK, METADATA, REST, Folders, Plain, files, require_writable
from fm.training.checkpoint_folders import remove as remove_all
from fm.training.trainer import hush
from tests.ports import free_run
from tests.store import Store


def content(step: int) -> dict[str, Any]:
    return {
        "global_step": step,
        "state_dict": {"weight": torch.arange(12.0).reshape(3, 4) + step, "count": torch.tensor(step)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
        "callbacks": {"Curve": {"curve": [[1, 16, 0.5, 0.001, 2.0]], "recent": []}},
    }


def same(found: Any, expected: Any) -> bool:
    match expected:
        case torch.Tensor():
            return found.dtype == expected.dtype and torch.equal(found, expected)
        case dict():
            return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
        case list():
            return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


def saved(place: Path | str, *steps: int) -> Folders:
    folders = Folders(place, "mine")
    for step in steps:
        folders.save_checkpoint(content(step))
    folders.wait()
    return folders


def test_what_is_read_is_what_was_saved(tmp_path: Path) -> None:
    folders = saved(tmp_path, 4)
    newest, wrong = folders.usable(set_aside=True)
    assert wrong == []
    assert same(folders.load_checkpoint(newest), content(4))


def test_what_changes_after_it_was_saved_is_not_in_it(tmp_path: Path) -> None:
    folders, changing = Folders(tmp_path, "mine"), content(4)
    folders.save_checkpoint(changing)
    changing["state_dict"]["weight"].zero_()
    folders.wait()
    assert same(folders.load_checkpoint(folders.usable(set_aside=True)[0]), content(4))


def test_tensors_that_are_there_are_read_in_place(tmp_path: Path) -> None:
    folders = saved(tmp_path, 4)
    weight = torch.zeros(3, 4)
    found = folders.load_into(str(folders.usable(set_aside=True)[0]), {"state_dict": {"weight": weight}})
    assert found["state_dict"]["weight"] is weight
    assert torch.equal(weight, content(4)["state_dict"]["weight"])


def test_one_process_is_no_matter_for_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    hush()
    folders = saved(tmp_path, 4)
    folders.load_checkpoint(folders.usable(set_aside=True)[0])
    assert [str(one.message) for one in recwarn if "torch.distributed" in str(one.message)] == []


def test_the_last_and_the_one_before_are_kept(tmp_path: Path) -> None:
    saved(tmp_path, 4, 8, 12)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["step-000000008", "step-000000012"]


def test_one_that_was_not_written_whole_is_none(tmp_path: Path) -> None:
    """Killed before the last file of it."""
    folders = saved(tmp_path, 4, 8)
    (tmp_path / "step-000000008" / MARK).unlink()
    assert folders.usable(set_aside=True) == (str(tmp_path / "step-000000004"), [])
    folders = saved(tmp_path, 8)
    assert same(folders.load_checkpoint(folders.usable(set_aside=True)[0]), content(8))


def test_there_may_be_none(tmp_path: Path) -> None:
    assert Folders(tmp_path / "nowhere", "mine").usable(set_aside=True) == (None, [])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def remove(file: Path) -> None:
    file.unlink()


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, remove, flip])
@pytest.mark.parametrize("name", ["__0_0.distcp", METADATA, REST, MARK])
def test_of_a_damaged_one_nothing_is_used(tmp_path: Path, damage: Callable[[Path], None], name: str) -> None:
    folders = saved(tmp_path, 4, 8)
    damage(tmp_path / "step-000000008" / name)
    newest, _ = folders.usable(set_aside=True)
    assert same(folders.load_checkpoint(newest), content(4))
    assert folders.usable(set_aside=True) == (str(tmp_path / "step-000000004"), [])


def test_where_all_are_damaged_the_next_start_begins_anew(tmp_path: Path) -> None:
    folders = saved(tmp_path, 4, 8)
    for folder in tmp_path.iterdir():
        flip(folder / "__0_0.distcp")
    newest, _ = folders.usable(set_aside=True)
    with pytest.raises(UserError, match=r"step-000000008 is damaged.*step-000000004 is damaged.*begins anew"):
        folders.load_checkpoint(newest)
    assert folders.usable(set_aside=True) == (None, [])


def test_another_trainings_is_not_used(tmp_path: Path) -> None:
    saved(tmp_path, 4)
    found, (why,) = Folders(tmp_path, "theirs").usable(set_aside=False)
    assert found is None
    assert why.endswith("is another training's")


class Attack:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_nothing_that_somebody_put_there_is_run(tmp_path: Path) -> None:
    """Neither in what describes the tensors, nor beside them, where the sums are right."""
    folders = saved(tmp_path / "folders", 4)
    place = tmp_path / "folders" / "step-000000004"
    (place / METADATA).write_bytes(pickle.dumps(Attack(tmp_path / "attacked")))
    with pytest.raises(pickle.UnpicklingError):
        folders._read(str(place), {})
    dcp.save({"attack": Attack(tmp_path / "attacked")}, checkpoint_id=place)
    with pytest.raises(UserError, match="no tensor"):
        folders._read(str(place), {})
    assert not (tmp_path / "attacked").exists()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "place").write_text("a file where the folder should be")
    folders = Folders(tmp_path / "place", "mine")
    folders.save_checkpoint(content(4))
    with pytest.raises(UserError, match=r"place.*can't be written: NotADirectoryError: "):
        folders.wait()


@pytest.fixture
def bucket(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in store.variables(store.set_up("team-k", {})["training"]).items():
        monkeypatch.setenv(name, value)
    yield "s3://team-k-checkpoints"
    S3FileSystem.clear_instance_cache()  # which knows nothing of the environment


def test_an_object_store_keeps_them_as_a_folder_does(bucket: str) -> None:
    place = f"{bucket}/checkpoints/train@diffusion/mine"
    folders = saved(place, 4, 8, 12)
    newest, wrong = folders.usable(set_aside=True)
    assert newest == f"{place}/step-000000012"
    assert wrong == []
    assert same(folders.load_checkpoint(newest), content(12))

    system = files(place)
    assert {Path(found).parent.name for found in system.find(place)} == {"step-000000008", "step-000000012"}
    system.pipe_file(f"{newest}/__0_0.distcp", b"x" * system.size(f"{newest}/__0_0.distcp"))
    assert same(folders.load_checkpoint(newest), content(8))
    assert folders.usable(set_aside=True)[0] == f"{place}/step-000000008"
    remove_all(place)
    assert folders.usable(set_aside=True) == (None, [])
    remove_all(place)


def test_a_store_that_refuses_is_told(bucket: str) -> None:
    with pytest.raises(UserError, match=r"^s3://team-k-nowhere/mine: .*Denied"):
        Folders("s3://team-k-nowhere/mine", "mine").usable(set_aside=True)


def test_a_store_that_does_not_answer_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_run(1)}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(S3FileSystem, "retries", 1)
    with pytest.raises(TryLater, match=f"^{bucket}/mine: the store does not answer"):
        Folders(f"{bucket}/mine", "mine").usable(set_aside=True)


def test_a_place_is_tried_before_a_training_needs_it(bucket: str, store: Store, tmp_path: Path) -> None:
    for place in (tmp_path / "new" / "folder", f"{bucket}/tried"):
        require_writable(str(place), "PLACE")
    assert list((tmp_path / "new" / "folder").iterdir()) == []
    assert store.everything(bucket.removeprefix("s3://")) == []
    for place, why in (
        ("/dev/null", "must be a folder"),
        ("foo://bar/x", "Protocol not known: foo"),
        ("s3://team-k-nowhere/x", "these keys may not do that"),
    ):
        with pytest.raises(UserError, match=rf"^PLACE = {place}: .*{why}") as told:
            require_writable(place, "PLACE")
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("torch.distributed.checkpoint.filesystem", "os.system"),
        ("torch.distributed.checkpoint.filesystem", "FileSystemWriter"),
        ("os", "float32"),
    ],
)
def test_metadata_of_a_stranger_run_nothing(module: str, name: str) -> None:
    """What a module has imported is not of a checkpoint, nor what is called as a type of numbers is."""
    asked = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(one)]) + one.encode() for one in (module, name)) + b"\x93."
    with pytest.raises(pickle.UnpicklingError, match="is not of a checkpoint"):
        Plain(io.BytesIO(asked)).load()
