"""How far generated images are from real ones, in the features of some extractor."""

from fm.metrics.distances import frechet_distance, kernel_distance, precision_recall

__all__ = ["frechet_distance", "kernel_distance", "precision_recall"]
