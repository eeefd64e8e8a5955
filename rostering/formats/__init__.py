"""File formats of instances and solutions, one a file, in the order in which an unknown file is tried."""

from __future__ import annotations

from rostering.formats import city, mankowska, plain, solomon, uhhc, vroom

FORMATS = (solomon, vroom, plain, city, uhhc, mankowska)
