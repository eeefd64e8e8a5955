"""Travel times of a routing server by HTTP: OSRM's `/table/v1` and Valhalla's `/sources_to_targets`, block by block within the server's
limits. Not a router, and not which server to trust with the places of homes (docs/rosters/travel.md).

Formats: project-osrm.org/docs (Table service), valhalla.github.io/valhalla/api/matrix. A bus has a timetable: it is never asked about."""

import ipaddress
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx
import numpy as np

from evm.domain.people import TravelMode
from evm.gateways.road_times import RoadsRefused, RoadsUnreachable, RoadTimes, Spot

TIMEOUT_SECONDS: Final = 30.0
TRIES_MAX: Final = 4
BLOCK_PLACES_MAX: Final = 50
BUSY: Final = frozenset({429, 500, 502, 503, 504})
OFF_ROAD_METRES: Final = 1_000.0
ATTRIBUTION: Final = (
    "Travel times by {name} at {host}, from data © OpenStreetMap contributors, ODbL (openstreetmap.org/copyright)"
)

Wait = Callable[[float], None]
Block = tuple[list[list[float | None]], list[float | None]]
"""Seconds from each source to each destination, None without a way; metres from each source to the nearest road, None where unsaid."""


class TooMany(ValueError):  # noqa: N818 -- named for what is wrong
    """The server takes fewer places at once."""


class NoWay(ValueError):  # noqa: N818 -- named for what is wrong
    """Some place of a block lies near no road, or the places are too far apart for the server."""


class Dialect(Protocol):
    """How one kind of server is asked and answers."""

    name: str

    def request(self, *, sources: Sequence[Spot], targets: Sequence[Spot], mode: TravelMode) -> Mapping[str, Any]:
        """Arguments of an httpx request: method, url (from the server's address on), and what else it needs."""
        ...

    def block(self, answer: Any) -> Block:
        """What the server's JSON says. Raises TooMany, NoWay, RoadsRefused, or KeyError, TypeError, ValueError for another shape."""
        ...


class _Table:
    """A routing server by its address; `wait` is told how long to wait between tries."""

    def __init__(
        self, *, dialect: Dialect, url: str, wait: Wait = time.sleep, places_max: int = BLOCK_PLACES_MAX
    ) -> None:
        self._dialect = dialect
        self._url = _checked(url)
        self._wait = wait
        self._places_max = places_max

    @property
    def identity(self) -> str:
        return f"{self._dialect.name}|{self._url}"

    @property
    def attribution(self) -> str:
        return ATTRIBUTION.format(name=self._dialect.name, host=urlsplit(self._url).hostname)

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        """Times between all places, asked block by block; where the server says it is too many at once, by smaller blocks."""
        answers = _Answers(places, mode)
        with httpx.Client(base_url=self._url, timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
            size = self._places_max
            while size:
                try:
                    self._fill(client, answers, size)
                except TooMany:
                    if size == 1:
                        raise RoadsRefused(f"{self._url} takes no two places at once") from None
                    size = max(1, size // 2)
                else:
                    size = 0
        return answers.times()

    def _fill(self, client: httpx.Client, answers: "_Answers", size: int) -> None:
        everybody = range(len(answers.places))
        for row in everybody[::size]:
            for column in everybody[::size]:
                rows, columns = list(everybody[row : row + size]), list(everybody[column : column + size])
                try:
                    self._block(client, answers, rows, columns)
                except NoWay:
                    self._find_off_road(client, answers, {*rows, *columns})
                    with suppress(NoWay):  # still none: too far apart; nothing is known of this block
                        self._block(client, answers, rows, columns)

    def _block(self, client: httpx.Client, answers: "_Answers", rows: list[int], columns: list[int]) -> None:
        rows, columns = ([place for place in some if place not in answers.off_road] for some in (rows, columns))
        if not rows or not columns:
            return
        sources, targets = ([answers.places[place] for place in some] for some in (rows, columns))
        times, away = self._asked(client, sources, targets, answers.mode)
        if len(times) != len(sources) or any(len(line) != len(targets) for line in times):
            raise RoadsRefused(f"{self._url} answers fewer times than were asked for")
        values = np.array([[_number(time, url=self._url) for time in line] for line in times])
        if (values < 0).any():
            raise RoadsRefused(f"{self._url} answers a time below 0")
        answers.seconds[np.ix_(rows, columns)] = values
        far = [metres is not None and metres > OFF_ROAD_METRES for metres in away]
        answers.off_road |= {place for place, is_far in zip(rows, far, strict=True) if is_far}

    def _find_off_road(self, client: httpx.Client, answers: "_Answers", among: set[int]) -> None:
        """Ask for each place alone: where even that has no answer, no road is near."""
        for place in sorted(among - answers.probed):
            answers.probed.add(place)
            try:
                self._asked(client, [answers.places[place]], [answers.places[place]], answers.mode)
            except NoWay:
                answers.off_road.add(place)

    def _asked(self, client: httpx.Client, sources: Sequence[Spot], targets: Sequence[Spot], mode: TravelMode) -> Block:
        asked = self._dialect.request(sources=sources, targets=targets, mode=mode)
        answer = self._answered(client, asked)
        try:
            return self._dialect.block(answer.json())
        except (KeyError, TypeError, IndexError) as error:
            raise self._no_such_server(answer) from error
        except (TooMany, NoWay, RoadsRefused):
            raise
        except ValueError as error:
            raise self._no_such_server(answer) from error

    def _answered(self, client: httpx.Client, asked: Mapping[str, Any]) -> httpx.Response:
        said = ""
        for tried in range(TRIES_MAX):
            if tried:
                self._wait(2.0 ** (tried - 1))
            try:
                answer = client.request(**asked)
            except httpx.TimeoutException:
                said = f"no answer within {TIMEOUT_SECONDS:.0f} seconds"
            except httpx.HTTPError as error:
                said = str(error) or type(error).__name__
            else:
                if answer.status_code in {413, 414}:
                    raise TooMany
                if answer.status_code not in BUSY:
                    return answer
                said = f"HTTP {answer.status_code}"
        raise RoadsUnreachable(f"the routing server at {urlsplit(self._url).hostname} does not answer ({said})")

    def _no_such_server(self, answer: httpx.Response) -> RoadsRefused:
        words = f"{self._url} does not answer as {self._dialect.name} does (HTTP {answer.status_code})"
        return RoadsRefused(f"{words}: give the address of a {self._dialect.name} server")


class _Answers:
    """What is known so far."""

    def __init__(self, places: Sequence[Spot], mode: TravelMode) -> None:
        self.places = places
        self.mode = mode
        self.seconds = np.full((len(places), len(places)), np.nan)
        self.off_road: set[int] = set()
        self.probed: set[int] = set()

    def times(self) -> RoadTimes:
        away = sorted(self.off_road)
        self.seconds[away, :] = np.nan
        self.seconds[:, away] = np.nan
        np.fill_diagonal(self.seconds, 0.0)
        return RoadTimes(seconds=self.seconds, off_road=tuple(away))


class OsrmTable(_Table):
    """OSRM. Its profile is fixed when its data is prepared: the name in the address is only a name."""

    def __init__(self, *, url: str, wait: Wait = time.sleep, places_max: int = BLOCK_PLACES_MAX) -> None:
        super().__init__(dialect=_Osrm(), url=url, wait=wait, places_max=places_max)


class ValhallaTable(_Table):
    """Valhalla."""

    def __init__(self, *, url: str, wait: Wait = time.sleep, places_max: int = BLOCK_PLACES_MAX) -> None:
        super().__init__(dialect=_Valhalla(), url=url, wait=wait, places_max=places_max)


class _Osrm:
    name = "OSRM"
    _profiles = MappingProxyType({TravelMode.CAR: "driving", TravelMode.CYCLE: "cycling", TravelMode.WALK: "walking"})

    def request(self, *, sources: Sequence[Spot], targets: Sequence[Spot], mode: TravelMode) -> Mapping[str, Any]:
        spots = ";".join(f"{longitude:.6f},{latitude:.6f}" for latitude, longitude in (*sources, *targets))
        params = {
            "sources": ";".join(map(str, range(len(sources)))),
            "destinations": ";".join(map(str, range(len(sources), len(sources) + len(targets)))),
            "annotations": "duration",
        }
        return {"method": "GET", "url": f"table/v1/{self._profiles[mode]}/{spots}", "params": params}

    def block(self, answer: Any) -> Block:
        if answer["code"] == "TooBig":
            raise TooMany
        if answer["code"] in {"NoTable", "NoSegment"}:
            raise NoWay
        if answer["code"] != "Ok":
            raise RoadsRefused(f"OSRM refuses: {answer['code']}: {answer.get('message', '')}")
        return answer["durations"], [source.get("distance") for source in answer["sources"]]


class _Valhalla:
    name = "Valhalla"
    _costings = MappingProxyType({TravelMode.CAR: "auto", TravelMode.CYCLE: "bicycle", TravelMode.WALK: "pedestrian"})
    _too_many = frozenset({150, 151, 152, 153})
    """"Exceeded max locations" and its kin."""
    _no_way = frozenset({154, 170, 171, 442})
    """Too far apart, unconnected, or no road near."""

    def request(self, *, sources: Sequence[Spot], targets: Sequence[Spot], mode: TravelMode) -> Mapping[str, Any]:
        body = {
            "sources": [{"lat": round(latitude, 6), "lon": round(longitude, 6)} for latitude, longitude in sources],
            "targets": [{"lat": round(latitude, 6), "lon": round(longitude, 6)} for latitude, longitude in targets],
            "costing": self._costings[mode],
            "verbose": True,
        }
        return {"method": "POST", "url": "sources_to_targets", "json": body}

    def block(self, answer: Any) -> Block:
        if "error_code" in answer:
            if answer["error_code"] in self._too_many:
                raise TooMany
            if answer["error_code"] in self._no_way:
                raise NoWay
            raise RoadsRefused(f"Valhalla refuses: {answer['error_code']}: {answer.get('error', '')}")
        lines = [[pair["time"] for pair in line] for line in answer["sources_to_targets"]]
        return lines, [None] * len(lines)


def _number(time: object, *, url: str) -> float:
    """A time of an answer; NaN for None, where there is no way."""
    if time is None:
        return float("nan")
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise RoadsRefused(f"{url} answers a time that is no number")
    return float(time)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RoadsRefused(f"{url!r} is no address of a server: give one such as https://routing.example.org")
    if parts.scheme == "http" and not _is_near(parts.hostname):
        raise RoadsRefused(
            f"{url} would send the places of homes in the clear: give an https address, or a server of your own network"
        )
    return url.rstrip("/") + "/"


def _is_near(host: str) -> bool:
    """Whether a host is this machine or of the operator's own network, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))
