"""Datasets: where they come from (sources.py) and how they lie on disk once prepared (prepared.py)."""
