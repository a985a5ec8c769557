"""What is written down of a run: in MLflow, whether it answers or not, and what the code was."""
