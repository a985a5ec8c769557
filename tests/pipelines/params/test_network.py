"""The section `network`."""

import pytest

from pipelines import params
from tests.pipelines.params.written import changed


@pytest.mark.parametrize(("size", "value"), [("width", 1_000_000), ("blocks", 1_000), ("multipliers", [1, 1000])])
def test_a_network_that_no_memory_holds_is_refused(size: str, value: int | list[int]) -> None:
    with pytest.raises(params.ParamsError, match=rf"network: network 'unet': {size} = .*from"):
        params.parse(changed(f"network.{size}", value))
