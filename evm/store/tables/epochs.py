"""Epochs of the evidence log: a restore opens the next."""
