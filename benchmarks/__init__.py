"""Speed as a ratio against a reference or a limit measured in the same process."""
