"""The pure domain: no input or output, no clock, no randomness. Not the store and not any edge."""
