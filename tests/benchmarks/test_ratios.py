"""Benchmarks on the CPU, tried at small sizes: that they run and say what they measured."""

from itertools import chain, repeat

import pytest

from benchmarks import bars, network, peers, ratios, waiting
from benchmarks.bars import Bar
from benchmarks.gpu.made_up import examples


def test_network_prints_rates_and_layers(capsys: pytest.CaptureFixture[str]) -> None:
    network.main("digits", seconds=0.1)
    printed = capsys.readouterr().out
    assert "training step: " in printed
    assert "network call: " in printed
    assert "| convolution of side 3 to 32 on " in printed
    assert "| aten::convolution_backward | " in printed


def test_waiting_compares_ways_and_cases(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "ROUNDS", 1)
    monkeypatch.setattr(waiting, "SECONDS", 0.1)
    monkeypatch.setattr(waiting, "TRIES", 1)
    monkeypatch.setattr(waiting, "CASES", {"alone": (1, []), "busy": (1, [waiting.BUSY])})
    waiting.main({waiting.OWN: {}})
    assert f"| {waiting.OWN} | " in capsys.readouterr().out
    waiting.as_it_is({waiting.OWN: {}})
    assert "processors busy; means of 1 rounds" in capsys.readouterr().out


def test_peers_train_beside_ours() -> None:
    small = examples((1, 28, 28), rows=16)
    for trainees in (peers.equal(small, 2), peers.own(small, 2)):
        table = peers.rates("tried", trainees, 2, seconds=0.01)
        assert all(f"| {name} | " in table for name in trainees)
    made = peers.pictures(peers.own(small, 2)["torchcfm"](), small, count=3)
    assert made.shape == (3, 28, 28, 1)


def test_a_race_ends_where_the_first_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "FIRST", 0.05)
    small = examples((1, 28, 28), rows=16)
    ours = peers.own(small, 2)["ours"]
    distances = chain([9.0, 4.0], repeat(9.0))
    table = peers.times({"ours": ours, "never": ours}, lambda trainee: next(distances), until=5)
    assert "| ours | 0." in table
    assert "| never | more than " in table


def test_the_verdict_says_which_bar_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> list[Bar]:
        return [Bar("one", 0.98, 0.97), Bar("other", 0.5, 0.7)]

    monkeypatch.setattr(ratios, "RATIOS", {"found": found})
    assert not ratios.main(["found"])
    printed = capsys.readouterr().out
    assert "| one | 0.98 | 0.97 | yes |" in printed
    assert "| other | 0.5 | 0.7 | NO |" in printed
    assert bars.Bar("at the bar", 0.97, 0.97).holds
