"""Quantities of latent samples: eqs. (7)-(11), the background, the atoms."""
