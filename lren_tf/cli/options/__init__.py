"""One module per group of options."""
