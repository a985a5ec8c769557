"""What a training of the pipeline's runs on."""

from fm.training.trainer import Hardware
from pipelines.params import Params


def hardware_of(settings: Params) -> Hardware:
    chosen = settings.train
    return Hardware(
        chosen.accelerator,
        chosen.devices,
        chosen.strategy,
        chosen.precision,
        compiled=chosen.compile,
        parts=chosen.accumulate,
        recomputed=chosen.checkpoint_activations,
    )
