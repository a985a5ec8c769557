"""Code that stands beside a result: it runs with a stage, and the result is the same whatever it says.

The list is short on purpose: what is not on it and can be come to counts.
"""

BESIDE_ALL = {
    "fm.training.callbacks:ProgressLine": "tells how far a training is",
    "fm.errors": "words",
    "fm.starting": "finds what a network goes on from: what that is, and its weights, are among the settings",
    "pipelines.edges": "says which stage comes after which",
    "pipelines.checkout_locks": "who may work in a checkout",
    "pipelines.codec:log_settings": "tells MLflow",
    "pipelines.codec:report": "tells MLflow",
    "pipelines.evaluate:log_settings": "tells MLflow",
    "pipelines.evaluate:report": "tells MLflow",
    "pipelines.evaluate:report_captions": "tells MLflow",
    "pipelines.finished": "takes what the same stage has made before",
    "pipelines.forecast": "tells what a budget comes to",
    "pipelines.inputs": "finds what stands in these files",
    "pipelines.machine": "tells how busy the machine was",
    "pipelines.params": "reads params.yaml: what it makes of it is among the settings",
    "pipelines.project:compute_slot": "takes turns",
    "pipelines.program": "how commands start and end",
    "pipelines.records": "tells MLflow",
    "pipelines.rehearsal": "refuses settings that cannot be",
    "pipelines.starts": "the same",
    "pipelines.stage": "finds what has changed",
    "pipelines.surroundings": "what the programs find that are started",
    "pipelines.train:foretell": "tells what a budget comes to",
    "pipelines.train:log_settings": "tells MLflow",
    "pipelines.train:report": "tells MLflow",
    "pipelines.train:show": "shows MLflow samples",
    "pipelines.yaml_reading": "reads params.yaml",
}
"""Module, package or `module:definition` -> why."""

BESIDE = {
    "train": {
        "fm.field": "for samples, of which a training only shows some",
        "fm.grids": "the same",
        "fm.guidance": "the same",
        "fm.likelihood": "a training asks for none",
        "fm.sampling": "for samples",
        "fm.solvers": "the same",
    },
}
"""The same for the stages of one kind."""


OF_CAPTIONS = {
    "fm.metrics.captions": "measures how captions are followed",
    "pipelines.following": "the same",
}
"""The same where networks are told no captions."""


SHOWS = {"compare"}
"""Stages whose result has words in it that components say of themselves."""


def beside(stage: str, captions: bool) -> frozenset[str]:
    """What is not followed for a stage, for instance train@diffusion.

    Args:
        captions: whether networks are told some.
    """
    of_stage = frozenset(BESIDE.get(stage.partition("@")[0], {}))
    return frozenset(BESIDE_ALL) | of_stage | (frozenset() if captions else frozenset(OF_CAPTIONS))
