"""What the searches' inner loops share, compiled by numba; nothing here knows a rule of rosters."""
