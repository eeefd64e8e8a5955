"""Other vendors' feeds and providers' shadow mode."""
