"""What is said of data in a word, such as a style or a skin tone, and a network that sees it in pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from fm.data.captions import TEXT
from fm.data.prepared import Prepared
from fm.images import Images, to_float
from fm.metrics.extractors.extractor import Asked, in_batches
from fm.metrics.fitting import Schedule, epochs_of, fit, own_order
from fm.metrics.looking import all_looked_at, looked_at, looking

Labels = NDArray[np.int64]

LABEL = "label"
LEAST = 50
"""Training data that have a value, for it to be learnt."""
UNKNOWN = -1
FILE, WEIGHTS = "attributes.json", "attributes.safetensors"
BATCH = 500


@dataclass(frozen=True)
class Attribute:
    """What of data is to be seen.

    Attributes:
        field: where it stands beside them.
        values: what it can be.

    >>> Attribute("tone", ("dark", "light")).numbers(np.array(["light", "", "medium"]))
    array([ 1, -1, -1])
    """

    field: str
    values: tuple[str, ...]

    def numbers(self, words: NDArray[np.str_]) -> Labels:
        """Of the values, int64 (N,); UNKNOWN for what is none of them."""
        known = {value: number for number, value in enumerate(self.values)}
        return np.array([known.get(word, UNKNOWN) for word in words.tolist()], dtype=np.int64)


def attributes_of(dataset: Prepared) -> tuple[Attribute, ...]:
    """The label, where there are several, and every field of words that has few: most of the data with something in it
    share theirs with LEAST others."""
    found = []
    for field, words in words_of(dataset, "train").items():
        counts = Counter(words[words != ""].tolist())
        common = sorted(value for value, count in counts.items() if count >= LEAST)
        if len(common) > 1 and sum(counts[value] for value in common) > counts.total() / 2:
            found.append(Attribute(field, tuple(common)))
    return tuple(found)


def words_of(dataset: Prepared, split: str) -> dict[str, NDArray[np.str_]]:
    """Field -> a word for each datum of a split: the label's name, and all fields of words beside the data."""
    rows = dataset.test if split == "test" else dataset.train
    names = np.array(dataset.label_names)
    of_label = {LABEL: names[rows.column(LABEL)]} if len(names) > 1 and LABEL in rows.kinds else {}
    fields = {
        field: rows.column(field) for field, (_, kind) in rows.kinds.items() if kind.startswith("<U") and field != TEXT
    }
    return of_label | fields


class AttributeClassifier:
    """Sees attributes in pictures.

    >>> attributes = (Attribute("tone", ("dark", "light")), Attribute("label", ("cat", "dog", "cow")))
    >>> sizes = {"channels": 1, "height": 8, "width": 8}
    >>> classifier = AttributeClassifier(attributes, sizes, torch.device("cpu"))
    >>> [seen.shape for seen in classifier.see(np.zeros((5, 8, 8, 1), np.uint8)).values()]
    [(5,), (5,)]
    """

    epochs = 12
    least_steps = 600
    most_seen = 400_000
    training_batch = 128

    def __init__(self, attributes: Sequence[Attribute], sizes: dict[str, int], device: torch.device) -> None:
        self.attributes, self.sizes, self.device = tuple(attributes), sizes, device
        self.counts = [len(each.values) for each in attributes]
        hidden = looking(**sizes, dimensions=64)
        self.network = nn.Sequential(hidden, nn.ReLU(), nn.Linear(64, sum(self.counts))).to(device).eval()

    @classmethod
    def trained(cls, asked: Asked) -> Self | None:
        """On the training split but for `unlearnt`, a function of the data; nothing where they have no attributes."""
        dataset, attributes = asked.dataset, attributes_of(asked.dataset)
        if not attributes:
            return None
        images = all_looked_at(asked.images, asked.cache)
        count, height, width, channels = images.shape
        torch.manual_seed(0)
        made = cls(attributes, {"channels": channels, "height": height, "width": width}, asked.device)
        words = words_of(dataset, "train")
        labels = np.stack([each.numbers(words[each.field]) for each in attributes], axis=1)
        labels[unlearnt(count)] = UNKNOWN
        batch_size = min(cls.training_batch, count)
        epochs = epochs_of(count, batch_size, cls.epochs, cls.least_steps, cls.most_seen)
        schedule = Schedule(epochs, batch_size, peak_learning_rate=3e-3)
        loss = made.recognition(labels)
        fit(made.network, images, loss, schedule, asked.device, asked.report, own_order(dataset.train))
        return made

    def recognition(self, labels: Labels) -> Callable[[Tensor, Labels], Tensor]:
        """The loss for fm.metrics.fitting, with the attributes (N, A) of all images; UNKNOWN has no part in it."""

        def loss(logits: Tensor, rows: Labels) -> Tensor:
            wanted = torch.from_numpy(labels[rows]).to(logits.device)
            total = torch.zeros((), device=logits.device)
            parts = logits.split(self.counts, dim=1)  # type: ignore[no-untyped-call]
            for number, of_one in enumerate(parts):
                known = max(int((labels[rows, number] != UNKNOWN).sum()), 1)
                errors = F.cross_entropy(of_one, wanted[:, number], ignore_index=UNKNOWN, reduction="sum")
                total = total + errors / known
            return total

        return loss

    def see(self, images: Images) -> dict[str, Labels]:
        """Field -> the number of the value that it sees in each picture, int64 (N,)."""
        logits = in_batches(lambda part: self.network(to_float(looked_at(part)).to(self.device)), images, BATCH)
        parts = np.split(logits, np.cumsum(self.counts)[:-1], axis=1)
        return {each.field: part.argmax(axis=1) for each, part in zip(self.attributes, parts, strict=True)}

    def save(self, folder: Path) -> None:
        content = {"sizes": self.sizes, "attributes": [asdict(each) for each in self.attributes]}
        (folder / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        weights = {name: value.contiguous().cpu() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """What `save` wrote."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        attributes = [Attribute(each["field"], tuple(each["values"])) for each in content["attributes"]]
        made = cls(attributes, content["sizes"], device)
        made.network.to(memory_format=torch.channels_last).load_state_dict(load_file(folder / WEIGHTS))
        return made


def unlearnt(count: int) -> Labels:
    """The tenth of so many training data that classifiers are not trained on, in random order: what a generator makes
    of combinations that it has seen is recognised by who has not seen the pictures."""
    return np.random.default_rng(0).permutation(count)[: max(count // 10, 1)]
