"""Training beside the peers: images per second, and how long each takes to pictures of the same distance.

    .venv/bin/python -m benchmarks.peers               # images/s of one training step, a few minutes
    .venv/bin/python -m benchmarks.peers --until 20    # and the time to a fid_classifier of 20, up to an hour

All on Fashion-MNIST, on the CPU, in one process and in turn. Averaging, clipping and reproducible noise are part of our
step; of theirs, only what their examples do (benchmarks/trainees.py).
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.bars import Bar
from benchmarks.gpu.made_up import examples
from benchmarks.gpu.report import number, table
from benchmarks.gpu.timing import alternate
from benchmarks.trainees import (
    OfDiffusers,
    OfTorchcfm,
    Trainee,
    diffusers_loss,
    flow_matching_loss,
    our_network,
    ours,
    theirs,
    torchcfm_loss,
)
from fm.batches import Examples
from fm.codecs import Pixels
from fm.conditions import Labels
from fm.data import fashion_mnist
from fm.data.rows import Arrays
from fm.field import Field
from fm.images import to_uint8
from fm.metrics import frechet_distance
from fm.metrics.extractors.classifier_network import Classifier, recognition
from fm.metrics.fitting import Schedule, fit
from fm.paths import Path as ProbabilityPath
from fm.sampling import draw
from fm.targets import Target

CPU = torch.device("cpu")
Make = Callable[[], Trainee]
MEASURED = 500
"""Pictures that a distance is taken from."""
FIRST = 15.0
"""Seconds after which our distance is first measured; a peer's is when it has trained as long as ours in the end."""
LONGER = 6
"""A peer that has not come there in so many times our time is given up."""


def main(until: float | None, batch_size: int, seconds: float, cache: Path) -> None:
    torch.manual_seed(0)
    data = fashion_mnist.load(cache)
    codec, conditioner = Pixels(data.train_images.shape[1:]), Labels(data.label_names)
    learnt = Examples(Arrays({"data": data.train_images, "label": data.train_labels}), codec, conditioner)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, batches of {batch_size}\n")
    for title, trainees in (("equal networks", equal(learnt, batch_size)), ("its own", own(learnt, batch_size))):
        print(rates(title, trainees, batch_size, seconds) + "\n", flush=True)
    if until is not None:
        print(times(own(learnt, batch_size, averaged=True), distances(learnt), until))


def equal(learnt: Examples, batch_size: int) -> dict[str, Make]:
    losses = {"torchcfm": torchcfm_loss, "flow_matching": flow_matching_loss, "diffusers": diffusers_loss}
    peers: dict[str, Make] = {name: partial(on_our_network, learnt, batch_size, loss) for name, loss in losses.items()}
    return {"ours": partial(ours, learnt, batch_size)} | peers


def on_our_network(learnt: Examples, batch_size: int, loss: Callable[[], Callable[..., torch.Tensor]]) -> Trainee:
    return theirs(our_network(learnt), learnt, batch_size, loss(), averaged=False)


def own(learnt: Examples, batch_size: int, averaged: bool = False) -> dict[str, Make]:
    return {
        "ours": partial(ours, learnt, batch_size),
        "torchcfm": lambda: theirs(OfTorchcfm(learnt), learnt, batch_size, torchcfm_loss(), averaged),
        "diffusers": lambda: theirs(OfDiffusers(learnt), learnt, batch_size, diffusers_loss(), averaged, noise=True),
    }


def rates(title: str, trainees: Mapping[str, Make], batch_size: int, seconds: float) -> str:
    made = {name: make() for name, make in trainees.items()}
    measured = alternate({name: one.step for name, one in made.items()}, CPU, seconds)
    weights = {name: sum(weight.numel() for weight in one.network.parameters()) for name, one in made.items()}
    lines = [
        (name, number(weights[name]), number(batch_size / one), number(one / measured["ours"]))
        for name, one in measured.items()
    ]
    return table((f"network: {title}", "parameters", "images/s", "our step is so many times as fast"), lines)


def bars(batch_size: int = 128, seconds: float = 30) -> Iterator[Bar]:
    """On random pictures: nothing is downloaded."""
    for title, trainees, least in (("equal networks", equal, 0.85), ("its own network", own, 5.0)):
        made = {name: make() for name, make in trainees(examples((1, 28, 28)), batch_size).items()}
        measured = alternate({name: one.step for name, one in made.items()}, CPU, seconds)
        best = min((name for name in measured if name != "ours"), key=measured.__getitem__)
        yield Bar(f"training step, of {best}'s on {title}", measured[best] / measured["ours"], least)


# How long to the same distance.

Distance = Callable[[Trainee], float]


def times(trainees: Mapping[str, Make], distance: Distance, until: float) -> str:
    """The processor's seconds of training, without those of measuring, until the distance is at most `until`."""
    lines, limit = [], float("inf")
    first = 0.0
    for name, make in trainees.items():
        seconds, reached = trained(make(), distance, until, first or FIRST, limit)
        if not first:
            first, limit = seconds, LONGER * seconds
        said = number(seconds) if reached <= until else f"more than {number(seconds)}"
        lines.append((name, said, number(reached), number(seconds / first)))
        print(f"{name}: fid_classifier {reached:.3g} after {seconds:.0f} s", flush=True)
    return table(("trained", f"processor's seconds to fid_classifier {until:g}", "reached", "times ours"), lines)


def trained(trainee: Trainee, distance: Distance, until: float, measure_at: float, limit: float) -> tuple[float, float]:
    """The processor's seconds that a training took, of all threads, so that it may share the machine; and the distance
    then, measured whenever it has taken a fifth longer, and at least as long as measuring takes."""
    spent = 0.0
    while True:
        started = time.process_time()
        trainee.step()
        spent += time.process_time() - started
        if spent >= min(measure_at, limit):
            started = time.process_time()
            reached = distance(trainee)
            if reached <= until or spent >= limit:
                return spent, reached
            measure_at = spent + max(0.2 * spent, time.process_time() - started)


def distances(learnt: Examples) -> Distance:
    """To the training split, by the features of a classifier of it, as fm.metrics.extractors trains one."""
    rows = learnt.rows[np.arange(len(learnt.rows))]
    images, labels = rows["data"], rows["label"]
    torch.manual_seed(0)
    channels, size, _ = learnt.codec.shape
    network = Classifier(channels=channels, image_size=size, num_classes=10)
    fit(network, images, recognition(labels), Schedule(3, 128, peak_learning_rate=3e-3), CPU, lambda line: None)
    network.eval()

    @torch.no_grad()
    def features(some: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [network.body(learnt.codec.encode(part)).numpy() for part in np.array_split(some, -(-len(some) // 500))]
        return np.concatenate(parts)

    real = features(images)
    return lambda trainee: frechet_distance(features(pictures(trainee, learnt)), real)


@torch.no_grad()
def pictures(trainee: Trainee, learnt: Examples, count: int = MEASURED) -> NDArray[np.uint8]:
    random = torch.Generator().manual_seed(1)
    trainee.network.eval()
    made = []
    for part in torch.arange(count).split(200):
        path = ProbabilityPath.of(trainee.path)
        field = Field(trainee.network, path, Target.of(trainee.target), {"label": part % 10})
        noise = torch.randn(len(part), *learnt.codec.shape, generator=random)
        made.append(to_uint8(draw(field, noise, trainee.sampler, no_more, learnt.codec.bound)))
    trainee.network.train()
    return np.concatenate(made)


def no_more() -> torch.Tensor:
    raise AssertionError("these samplers draw no noise of their own")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--until", type=float, help="also the time to a fid_classifier of so much")
    parser.add_argument("--batch-size", type=int, default=128, help="images (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=60, help="for which each kind of network is timed (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where the images are kept (%(default)s)")
    return parser


if __name__ == "__main__":
    main(**vars(arguments().parse_args()))
