"""The low-rank step, eq. (1) and eqs. (12)-(20), without the network around it."""
