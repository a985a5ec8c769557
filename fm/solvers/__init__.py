"""From noise to data: integrate a velocity field (ode), or walk down a Gaussian path (gaussian)."""

from fm.solvers.ode import Solution, solve

__all__ = ["Solution", "solve"]
