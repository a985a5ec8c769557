"""Lightning without all of torchmetrics, which is there all the same. Each in a process of its own: imports stay."""

import subprocess
import sys


def said(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def test_a_training_does_without_what_torchmetrics_brings() -> None:
    loaded = "print(sorted({'transformers', 'torchvision', 'torchmetrics.classification'} & set(sys.modules)))"
    assert said(f"import sys, fm.training.trainer; {loaded}") == "[]"


def test_the_plain_loop_loads_nothing_of_it() -> None:
    assert said("import sys, fm.training.loop; print('torchmetrics' in sys.modules)") == "False"


def test_all_of_torchmetrics_is_there_when_it_is_asked_for() -> None:
    program = """
import fm.training.trainer
from lightning.pytorch.core.module import Metric
import torch
from torchmetrics import Accuracy, MeanMetric
import torchmetrics.classification
assert issubclass(MeanMetric, Metric) and torchmetrics.Metric is Metric and type(torchmetrics).__name__ == "module"
print(Accuracy(task="multiclass", num_classes=2)(torch.tensor([1, 0]), torch.tensor([1, 1])).item())
"""
    assert said(program) == "0.5"
    missing = "import fm.training.trainer, torchmetrics\ntry: torchmetrics.none\nexcept AttributeError: print('no')"
    assert said(missing) == "no"
