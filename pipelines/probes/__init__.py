"""What is measured of all methods side by side: pipelines.probe puts it together."""
