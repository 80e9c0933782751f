"""Evidence that a pixel is anomalous: spectrum, structure and surroundings, on one scale."""
