"""One training loop for every net."""
