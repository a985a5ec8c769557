"""The cosine between pictures and captions to a CLIP of random weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fm.data.prepared import Prepared
from fm.evaluation import Plan
from fm.metrics.captions.clip_score import CLIPJudge
from fm.metrics.captions.following import follow
from fm.metrics.captions.judges import Judges
from fm.metrics.captions.questions import questions
from fm.metrics.captions.ranking import another
from fm.text import Encoder
from tests.fm.metrics.captions.bars import Knowing, generator
from tests.parity.test_transformers import whole_clip

PLAN = Plan(count=20, sets=3, seed=3, batch_size=25)


def test_it_is_told_with_floor_and_ceiling(encoder: Encoder, judges: Judges, dataset: Prepared, tmp_path: Path) -> None:
    torch.manual_seed(0)
    for part in whole_clip():
        part.save_pretrained(tmp_path)
    clip = CLIPJudge.of(tmp_path, torch.device("cpu"))
    found = follow(generator(encoder, Knowing(encoder)), replace(judges, clip=clip), dataset, PLAN)
    (figure,) = (one for one in found if one.kind == "clip")
    assert (figure.what, figure.of, figure.count, len(figure.sets)) == ("cosine", "held out", 60, 3)

    asked = questions(dataset, judges.attributes, "held out", 60, PLAN.seed)
    places, captions = clip.look(dataset.test[asked.numbers]["data"]), clip.read(asked.captions)
    shuffled = captions[another(asked.captions, PLAN.seed)]
    for told, of in ((figure.ceiling, captions), (figure.floor, shuffled)):
        assert told == pytest.approx(np.maximum((places * of).sum(axis=1), 0).mean(), abs=1e-5)
    assert figure.interval.mean == pytest.approx(figure.ceiling, abs=0.05)  # it draws what it is asked for
