"""Resizing many pictures at once, held against clean-fid's own resizer on photographs."""

import numpy as np
import pytest
import torch
from cleanfid.resize import build_resizer
from sklearn.datasets import load_sample_images

from fm.metrics.extractors.resizing import bicubic

LEVEL = 0.01
"""Of 255. Where a side is no whole multiple of the other, both libraries round the places of the pixels in float32."""


@pytest.mark.parametrize(("height", "width"), [(28, 28), (32, 32), (200, 100), (299, 299), (427, 640)])
def test_pictures_come_out_as_by_clean_fid(height: int, width: int) -> None:
    photographs = np.stack([photograph[:height, -width:] for photograph in load_sample_images().images])
    theirs = np.stack([build_resizer("clean")(photograph) for photograph in photographs])
    ours = bicubic(photographs, 299, torch.device("cpu")).permute(0, 2, 3, 1).numpy()
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=LEVEL)
    assert theirs.max() == ours.max() == 255, "what bicubic weights make beyond white is cut off"


def test_another_filter_would_be_noticed() -> None:
    photograph = load_sample_images().images[0][:64, :64]
    theirs = build_resizer("legacy_pytorch")(photograph)
    ours = bicubic(photograph[None], 299, torch.device("cpu"))[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - theirs).max() > 50 * LEVEL
