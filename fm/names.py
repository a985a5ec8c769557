"""What can be chosen by name. Importable without PyTorch, so that settings can be checked at once."""

PATHS = ("cond_ot", "variance_preserving", "ddpm", "cosine")
COUPLINGS = ("independent", "optimal_transport", "labelled_optimal_transport")
TIMESTEPS = ("uniform", "discrete")
TARGETS = ("velocity", "data", "noise", "score")
WEIGHTS = ("flat",)
SOLVERS = ("euler", "midpoint", "heun", "ddim", "ddpm")
