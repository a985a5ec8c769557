"""The pipeline: one module for each stage of dvc.yaml, and registration."""
