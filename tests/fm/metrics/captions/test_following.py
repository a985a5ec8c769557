from dataclasses import replace

import numpy as np
import pytest
import torch

from fm.data.prepared import Prepared
from fm.evaluation import Plan
from fm.metrics.captions.following import Answers, Figure, follow, look_at_real, retrieval
from fm.metrics.captions.judges import Judges
from fm.metrics.captions.questions import questions
from fm.text import Encoder
from fm.work_queue import Group
from tests.fm.metrics.captions.bars import Deaf, Knowing, generator

PLAN = Plan(count=20, sets=3, seed=3, batch_size=25)


def figures(encoder: Encoder, network: torch.nn.Module, judges: Judges, dataset: Prepared) -> dict[str, Figure]:
    found = follow(generator(encoder, network), judges, dataset, PLAN)
    return {f"{each.kind} {each.what} {each.of}": each for each in found}


@pytest.fixture(scope="module")
def known(encoder: Encoder, judges: Judges, dataset: Prepared) -> dict[str, Figure]:
    return figures(encoder, Knowing(encoder), judges, dataset)


def test_all_that_is_measured(known: dict[str, Figure]) -> None:
    assert list(known) == [
        "ranking another caption held out",
        "ranking another label held out",
        "retrieval 1 of 8 held out",
        "retrieval 5 of 8 held out",
        "attribute label held out",
        "attribute side held out",
        "attribute label seen",
        "attribute side seen",
    ]
    for figure in known.values():
        assert len(figure.sets) == 3
        assert figure.count == (60 if figure.of == "held out" else 48)


def test_who_follows_reaches_the_ceiling(known: dict[str, Figure]) -> None:
    for name, figure in known.items():
        assert np.mean(figure.sets) >= figure.ceiling - 0.1, name
        assert figure.ceiling > 0.9, name


def test_who_hears_nothing_stays_at_the_floor(encoder: Encoder, judges: Judges, dataset: Prepared) -> None:
    for name, figure in figures(encoder, Deaf(encoder), judges, dataset).items():
        assert np.mean(figure.sets) < 0.75, name
        assert figure.floor < 0.75, name


def test_it_is_a_function_of_the_seed(
    encoder: Encoder, judges: Judges, dataset: Prepared, known: dict[str, Figure]
) -> None:
    assert figures(encoder, Knowing(encoder), judges, dataset) == known


def test_two_workers_find_what_one_does(
    encoder: Encoder, judges: Judges, dataset: Prepared, known: dict[str, Figure]
) -> None:
    """The second does its part first, and gets nothing."""
    store = torch.distributed.HashStore()
    made = generator(encoder, Knowing(encoder))
    assert follow(made, judges, dataset, PLAN, Group(store, rank=1)) == []
    assert follow(made, judges, dataset, PLAN, Group(store, rank=0)) == list(known.values())


def test_who_has_few_captions_is_not_asked_for_the_first_five(judges: Judges, dataset: Prepared) -> None:
    asked = questions(dataset, (), "held out", 60, PLAN.seed)
    two = tuple("the red upper bar" if "red" in one else "the blue upper bar" for one in asked.captions)
    real = look_at_real(judges, dataset, asked, PLAN)
    found = list(retrieval(judges, replace(asked, captions=two), real, real, PLAN.seed))
    assert [one.what for one in found] == ["1 of 2"]


def test_shares_are_of_data_that_count() -> None:
    right, counted = np.array([True, False, True, True]), np.array([True, True, False, True])
    answers = Answers("attribute", "tone", right, counted, floor=0.1, ceiling=0.9)
    figure = Figure.of_answers(answers, "seen", sets=2)
    assert figure is not None
    assert (figure.sets, figure.count) == ([0.5, 1.0], 3)
    assert figure.interval == (0.75, 0, 1)  # of two sets, by Student's t, -2.4 to 3.9: no share is
    nobody = Answers("attribute", "tone", right, np.array([True, True, False, False]), floor=0.1, ceiling=0.9)
    assert Figure.of_answers(nobody, "seen", sets=2) is None
