"""Files that agencies and councils already have, taken in with a dry run: one kind of file a module in `kinds`."""
