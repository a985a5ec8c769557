"""From noise to data: integrate a velocity field (ode), or walk down a Gaussian path (gaussian)."""

from fm.solvers import gaussian, jump, stochastic, unipc  # whose solvers are there by name once it is imported
from fm.solvers.ode import Solution, solve
from fm.solvers.solver import Solver

__all__ = ["Solution", "Solver", "gaussian", "jump", "solve", "stochastic", "unipc"]
