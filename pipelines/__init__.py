"""The pipeline: one module for each stage of dvc.yaml, and registration."""

from pipelines.program import answer_help, import_without_collecting
from pipelines.surroundings import settle

# OpenMP and Prefect read their settings once, when they are imported: whatever is imported of ours, these come first.
settle()
answer_help()
import_without_collecting()
