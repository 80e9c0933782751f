"""Quantities of latent samples: eqs. (7)-(11), smoothing, the background, the atoms."""
