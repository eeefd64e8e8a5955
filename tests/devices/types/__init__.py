"""One test file a device type, each with literal payloads."""
