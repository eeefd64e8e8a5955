"""Tests of devices: the protocol, the transports and the reference phone."""
