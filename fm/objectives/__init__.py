"""Training objectives: from a network and a batch to a loss.

`Regression`, a path x a coupling x a timestep distribution x a prediction target x a loss weight, is flow matching and
diffusion alike. MeanFlow and Shortcut train networks that are told where a step ends, for few of them.
"""

from fm.objectives.mean_flow import MeanFlow
from fm.objectives.objective import Objective
from fm.objectives.regression import Regression
from fm.objectives.shortcut import Shortcut

__all__ = ["MeanFlow", "Objective", "Regression", "Shortcut"]
