"""Simulated localities with their truth, and the commands that measure popback by them. Not part of what runs in production."""
