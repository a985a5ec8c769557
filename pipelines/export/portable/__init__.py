"""What travels with an export, as it is: it needs nothing of this project."""
