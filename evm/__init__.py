"""The monitoring core: a pure domain, its store, its gateways and its use cases. Not the devices and not the site."""
