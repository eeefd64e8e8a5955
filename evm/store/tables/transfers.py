"""Customers and workers who passed from one provider to another."""
