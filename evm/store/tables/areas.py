"""Postcodes, polygons of localities, and provider contracts."""
