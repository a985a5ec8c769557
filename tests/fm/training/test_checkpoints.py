import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fm.training.checkpoints import DIGEST, FORM, KEY, THIS_FORM, before, digest, usable

KINDS: dict[str, Callable[[Path], None]] = {}


def content(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "global_step": 4,
        "state_dict": {"weight": torch.arange(12.0).reshape(3, 4), "count": torch.tensor(3)},
        "optimizer_states": [{"state": {0: {"step": torch.tensor(4.0), "exp_avg": torch.ones(3, 4)}}}],
        "callbacks": {"Curve": {"curve": [[1, 16, 0.5, 0.001, 2.0]], "recent": []}},
        KEY: "mine",
        FORM: THIS_FORM,
    } | changes
    return made | {DIGEST: digest(made)}


def kind(damage: Callable[[Path], None]) -> Callable[[Path], None]:
    KINDS[damage.__name__] = damage
    return damage


def edited(file: Path, edit: Callable[[dict[str, Any]], None], sign: bool = False) -> None:
    found = torch.load(file, weights_only=True)
    edit(found)
    torch.save(content(**{name: value for name, value in found.items() if name != DIGEST}) if sign else found, file)


@kind
def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


@kind
def cut_to_its_first_byte(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1])


@kind
def empty(file: Path) -> None:
    file.write_bytes(b"")


@kind
def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


@kind
def garbled(file: Path) -> None:
    file.write_bytes(random.Random(0).randbytes(file.stat().st_size))


@kind
def text(file: Path) -> None:
    file.write_text("404 not found")


@kind
def another_format(file: Path) -> None:
    torch.save([1, 2, 3], file)


@kind
def one_flipped_bit_of_a_weight(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(torch.arange(12.0).numpy().tobytes()) + 22] ^= 1
    file.write_bytes(data)


@kind
def nan_in_the_averaged_weights(file: Path) -> None:
    edited(file, lambda found: found["state_dict"]["weight"].fill_(torch.nan))


@kind
def infinity_saved_as_if_all_were_well(file: Path) -> None:
    edited(file, lambda found: found["optimizer_states"][0]["state"][0]["exp_avg"].fill_(torch.inf), sign=True)


@kind
def missing_key(file: Path) -> None:
    edited(file, lambda found: found.pop("optimizer_states"))


@kind
def no_checksum(file: Path) -> None:
    edited(file, lambda found: found.pop(DIGEST))


@kind
def wrong_shapes(file: Path) -> None:
    edited(file, lambda found: found.update(state_dict={"weight": torch.zeros(4, 4), "count": torch.tensor(3)}))


@kind
def another_step(file: Path) -> None:
    edited(file, lambda found: found.update(global_step=9))


@kind
def another_trainings(file: Path) -> None:
    torch.save(content(**{KEY: "theirs"}), file)


@kind
def an_earlier_versions(file: Path) -> None:
    torch.save(content(**{FORM: None}), file)


@kind
def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "part").touch()


@kind
def a_link_to_nothing(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("nothing"))


@kind
def code(file: Path) -> None:
    """What unpickling without thought would run."""

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (file.with_name("attacked"),)

    torch.save({**content(), "callbacks": Attack()}, file)


@pytest.fixture
def last(tmp_path: Path) -> Path:
    file = tmp_path / "last.ckpt"
    torch.save(content(), file)
    torch.save(content(global_step=2), before(file))
    return file


def test_the_last_one_is_used_if_it_is_whole(last: Path) -> None:
    assert usable(last, "mine", set_aside=True) == (last, [])


def test_the_one_before_is_used_where_the_last_is_missing(last: Path) -> None:
    """Killed between the two renames."""
    last.unlink()
    assert usable(last, "mine", set_aside=True) == (before(last), [])


def test_there_may_be_none(tmp_path: Path) -> None:
    assert usable(tmp_path / "last.ckpt", "mine", set_aside=True) == (None, [])


@pytest.mark.parametrize("damage", KINDS)
def test_a_damaged_one_is_put_aside_and_the_one_before_used(last: Path, damage: str) -> None:
    KINDS[damage](last)
    found, (why,) = usable(last, "mine", set_aside=True)
    assert found == before(last)
    assert why.startswith(str(last))
    assert "\n" not in why
    assert not last.exists()
    assert not last.with_name("attacked").exists()
    # Again at the next start, in the place that is taken now.
    torch.save(content(), last)
    KINDS[damage](last)
    assert usable(last, "mine", set_aside=True)[0] == before(last)


@pytest.mark.parametrize("damage", KINDS)
def test_where_both_are_damaged_there_is_none(last: Path, damage: str) -> None:
    for file in (last, before(last)):
        KINDS[damage](file)
    found, wrong = usable(last, "mine", set_aside=True)
    assert found is None
    assert len(wrong) == 2


def test_a_helper_moves_nothing(last: Path) -> None:
    cut(last)
    found, wrong = usable(last, "mine", set_aside=False)
    assert (found, len(wrong)) == (before(last), 1)
    assert last.exists()


def test_no_flipped_bit_changes_what_is_used(last: Path) -> None:
    """A bit that nothing depends on may flip; else the file is not used."""
    whole = last.read_bytes()
    bits = random.Random(0)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        data[bits.randrange(len(data))] ^= 1 << bits.randrange(8)
        last.write_bytes(data)
        if usable(last, "mine", set_aside=False)[0] == last:
            found = torch.load(last, weights_only=True)
            assert found.pop(DIGEST) == digest(found) == content()[DIGEST]
        else:
            refused += 1
    assert refused > 20
