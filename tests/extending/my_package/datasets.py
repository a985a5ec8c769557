import numpy as np

from fm.data.sources import Dataset, Request, Splits


class Lines(Dataset, says="grey images with a white line, whose label says where"):
    def load(self, asked: Request) -> Splits:
        train, test = np.arange(1000) % 8, np.arange(200) % 8
        return Splits(lines(train), train, lines(test), test, tuple("01234567"), origin="made here")


def lines(rows: np.ndarray) -> np.ndarray:
    images = np.zeros((len(rows), 8, 8, 1), np.uint8)
    images[np.arange(len(rows)), rows] = np.random.default_rng(0).integers(200, 256, (len(rows), 8, 1))
    return images
