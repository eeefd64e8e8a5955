"""How rosters are found: insertion, ruin and recreate, OR-Tools; none of it is trusted (see rostering.verify)."""
