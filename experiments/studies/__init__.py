"""Studies: which runs each question of the paper needs, and the tables of its answers."""
