"""Where something is or was: positions and the homes they are compared with. Not travel and not road networks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A fix as a phone gave it: degrees (WGS 84), its own estimate of accuracy in metres, and whether the system called it mocked."""

    latitude: float
    longitude: float
    accuracy_m: float
    mock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a customer lives: degrees (WGS 84) and the radius in metres inside which a fix counts as "there"."""

    latitude: float
    longitude: float
    radius_m: float = 150.0
