import pytest

from benchmarks import network


def test_prints_the_rates_of_the_default_network(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "ROUNDS", 1)
    network.main("digits")
    printed = capsys.readouterr().out
    assert "training step: " in printed
    assert "network call: " in printed
