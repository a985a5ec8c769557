from collections.abc import Sequence

import torch

from fm.components import option
from fm.text import Encoded, Encoder


class Letters(Encoder, says="the letters of a text, each as its place in the alphabet"):
    length: int = option(32, least=1, most=4096, says="of a text in letters, at most; what is longer is cut")

    @property
    def width(self) -> int:
        return 26

    def encode(self, texts: Sequence[str], device: torch.device | str = "cpu") -> Encoded:
        spelt = [[ord(letter) - ord("a") for letter in text.lower() if "a" <= letter <= "z"] for text in texts]
        values = torch.zeros(len(texts), self.length, self.width)
        there = torch.zeros(len(texts), self.length, dtype=torch.bool)
        for row, places in enumerate(spelt):
            for number, place in enumerate(places[: self.length]):
                values[row, number, place] = 1
                there[row, number] = True
        return Encoded(values.to(device), there.to(device), cut=sum(len(places) > self.length for places in spelt))
