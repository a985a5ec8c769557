"""Sheets of samples."""

import numpy as np
import pytest

from fm import sheets
from fm.generator import Generator
from fm.images import grid
from tests.fm.conftest import tiny_generator


@pytest.mark.parametrize(("labels", "columns"), [(0, 10), (3, 3), (10, 10), (40, 10)])
def test_eight_rows_and_few_columns(labels: int, columns: int) -> None:
    generator = tiny_generator(label_names=[str(number) for number in range(labels)])
    assert sheets.columns_of(generator) == columns
    assert sheets.sheet(generator, seed=0, steps=1).shape == (8 * 9 + 1, columns * 9 + 1, 1)


def test_labels_stand_in_columns_from_the_noise_of_a_seed(generator: Generator) -> None:
    made = generator.sample(80, seed=3, labels=[number % 10 for number in range(80)])
    assert np.array_equal(sheets.samples(generator, seed=3), made)
    assert np.array_equal(sheets.sheet(generator, seed=3), grid(made, columns=10))
