from types import SimpleNamespace

import pytest

from pipelines.registry.model_version import code


@pytest.mark.parametrize(
    ("needs", "folders"),
    [([], ["fm"]), (["own.paths:Squared"], ["fm", "own"]), (["my_package.paths:Squared"], ["fm"])],
)
def test_what_a_model_needs_of_the_checkout_travels_with_it(needs: list[str], folders: list[str]) -> None:
    generator = SimpleNamespace(config=SimpleNamespace(needs=needs))
    assert code(generator) == folders  # type: ignore[arg-type]
