"""Prefect flows: run the stages that dvc.yaml defines. They know nothing of tensors."""

import os

import pipelines  # noqa: F401 (settles the surroundings)
from flows.mistakes import log_in_one_line

log_in_one_line()

# Prefect reads its settings once, when it is imported: these stand here so that they come first.
for _name, _value in {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # its first start creates the database
    "PREFECT_LOGGING_FORMATTERS_STANDARD_FLOW_RUN_FMT": "%(asctime)s | %(message)s",
    "PREFECT_LOGGING_FORMATTERS_STANDARD_TASK_RUN_FMT": "%(asctime)s | %(task_run_name)s | %(message)s",
}.items():
    os.environ.setdefault(_name, _value)
