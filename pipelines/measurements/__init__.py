"""What one run of the pipeline can say about each claim: small functions that read the metrics of both methods."""

from pipelines.measurements.judge import judge

__all__ = ["judge"]
