"""What a machine has room for."""

import pytest

from fm.errors import UserError
from pipelines.dataset import LIMIT_VARIABLE, limit


def test_bytes_for_shards_are_said_in_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    assert limit() == 8_192_000_000
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5")
    assert limit() == 500_000


@pytest.mark.parametrize("said", ["much", "inf", "nan", ""])
def test_what_is_no_number_of_megabytes(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, said)
    with pytest.raises(UserError, match=f"^{LIMIT_VARIABLE} = {said}: must be a number of megabytes$"):
        limit()
