"""Every claim, in the order in which they are told. A new one is a module beside this, and a line here."""

from pipelines.claims import (
    conditioning,
    determinism,
    learning_rates,
    matched,
    migration,
    optimal_transport,
    quality,
    real_time,
    special_case,
    stability,
    training_steps,
    training_time,
    transformers,
)

CLAIMS = (
    quality.CLAIM,
    matched.EVALUATIONS,
    matched.SAMPLING_SPEED,
    training_time.CLAIM,
    migration.CLAIM,
    training_steps.MEMORY,
    training_steps.STEP_COST,
    conditioning.CLAIM,
    real_time.CLAIM,
    determinism.CLAIM,
    special_case.CLAIM,
    stability.CLAIM,
    transformers.CLAIM,
    learning_rates.CLAIM,
    optimal_transport.CLAIM,
)
