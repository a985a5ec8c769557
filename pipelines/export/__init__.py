"""A trained generator in the formats of others: python -m pipelines.export."""
