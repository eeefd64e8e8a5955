"""Routing servers over HTTP, by a local stand-in that answers as the real ones document it: OSRM's Table service, Valhalla's matrix."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from evm.domain.people import TravelMode
from evm.gateways.road_table import OsrmTable, ValhallaTable
from evm.gateways.road_times import RoadsRefused, RoadsUnreachable

CAR = TravelMode.CAR
Answer = tuple[int, Any]


class Server:
    """A routing server of a plane where a degree is 1,000 seconds east and 2,000 west; `limit` places in all."""

    def __init__(self) -> None:
        self.limit = 100
        self.fails: list[Answer] = []
        self.nowhere: set[tuple[float, float]] = set()
        self.unlinked: set[tuple[float, float]] = set()
        self.asked: list[str] = []
        self.answer: Callable[[str, bytes], Answer] = self.osrm

    def seconds(self, a: tuple[float, float], b: tuple[float, float]) -> float | None:
        if a != b and (a in self.unlinked or b in self.unlinked):
            return None
        return round((b[1] - a[1]) * 1000 if b[1] >= a[1] else (a[1] - b[1]) * 2000, 1)

    def osrm(self, path: str, body: bytes) -> Answer:
        del body
        parts = urlsplit(path)
        _, _, service, version, _, spots = parts.path.split("/")
        assert (service, version) == ("table", "v1")
        places = [(float(spot.split(",")[1]), float(spot.split(",")[0])) for spot in spots.split(";")]
        if len(places) > self.limit:
            return 400, {"code": "TooBig", "message": "Too many table coordinates"}
        query = parse_qs(parts.query)
        froms, tos = ([places[int(n)] for n in query[name][0].split(";")] for name in ("sources", "destinations"))
        if any(place in self.nowhere for place in (*froms, *tos)):
            return 400, {"code": "NoSegment", "message": "Could not find a matching segment for coordinate 0"}
        waypoints = [{"hint": "x", "location": [b, a], "name": "", "distance": 4.2} for a, b in froms]
        return 200, {
            "code": "Ok",
            "durations": [[self.seconds(a, b) for b in tos] for a in froms],
            "sources": waypoints,
            "destinations": waypoints,
        }

    def valhalla(self, path: str, body: bytes) -> Answer:
        assert path == "/x/sources_to_targets"
        asked = json.loads(body)
        froms, tos = ([(each["lat"], each["lon"]) for each in asked[name]] for name in ("sources", "targets"))
        if len(froms) + len(tos) > self.limit:
            return 400, {"error_code": 150, "error": f"Exceeded max locations: {self.limit}", "status_code": 400}
        if any(place in self.nowhere for place in (*froms, *tos)):
            return 400, {"error_code": 171, "error": "No suitable edges near location", "status_code": 400}
        table = [
            [{"distance": 1, "time": self.seconds(a, b), "from_index": i, "to_index": j} for j, b in enumerate(tos)]
            for i, a in enumerate(froms)
        ]
        return 200, {"algorithm": "costmatrix", "units": "kilometers", "sources_to_targets": table}


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    town = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            town.asked.append(self.path)
            status, said = town.fails.pop(0) if town.fails else town.answer(self.path, body)
            packed = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, *_: Any) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield town, f"http://127.0.0.1:{listening.server_address[1]}/x"
    listening.shutdown()
    listening.server_close()
    thread.join()


def places(count: int) -> list[tuple[float, float]]:
    return [(53.0, round(-2.0 + number * 0.01, 6)) for number in range(count)]


def expected(count: int) -> np.ndarray[Any, Any]:
    return np.array([[10.0 * (j - i) if j >= i else 20.0 * (i - j) for j in range(count)] for i in range(count)])


@pytest.mark.parametrize("table", [OsrmTable, ValhallaTable])
def test_all_pairs_are_asked_block_by_block_and_stand_where_they_belong(
    server: tuple[Server, str], table: type[OsrmTable | ValhallaTable]
) -> None:
    """A block in the wrong place, or a transposed one, gives every worker somebody else's journeys."""
    town, url = server
    town.answer = town.osrm if table is OsrmTable else town.valhalla
    found = table(url=url, places_max=5, wait=_impatient).times(places=places(12), mode=CAR)
    np.testing.assert_allclose(found.seconds, expected(12))
    assert len(town.asked) == 9
    assert found.off_road == ()


@pytest.mark.parametrize("table", [OsrmTable, ValhallaTable])
def test_a_server_that_takes_fewer_is_asked_by_fewer(
    server: tuple[Server, str], table: type[OsrmTable | ValhallaTable]
) -> None:
    """Each operator sets its own limit, and says so only when it is passed."""
    town, url = server
    town.answer, town.limit = (town.osrm if table is OsrmTable else town.valhalla), 6
    found = table(url=url, wait=_impatient).times(places=places(7), mode=CAR)
    np.testing.assert_allclose(found.seconds, expected(7))


@pytest.mark.parametrize("table", [OsrmTable, ValhallaTable])
def test_pairs_without_a_way_are_unknown_and_the_others_known(
    server: tuple[Server, str], table: type[OsrmTable | ValhallaTable]
) -> None:
    """One island must not cost the whole town its times, nor be reached in no time."""
    town, url = server
    town.answer, town.unlinked = (town.osrm if table is OsrmTable else town.valhalla), {places(4)[2]}
    found = table(url=url, wait=_impatient).times(places=places(4), mode=CAR).seconds
    assert np.isnan(found[2, [0, 1, 3]]).all()
    assert np.isnan(found[[0, 1, 3], 2]).all()
    assert found[0, 3] == 30


@pytest.mark.parametrize("table", [OsrmTable, ValhallaTable])
def test_a_place_near_no_road_is_found_and_left_out(
    server: tuple[Server, str], table: type[OsrmTable | ValhallaTable]
) -> None:
    """The servers refuse a whole block for one place: which it is has to be found."""
    town, url = server
    town.answer, town.nowhere = (town.osrm if table is OsrmTable else town.valhalla), {places(5)[3]}
    found = table(url=url, wait=_impatient).times(places=places(5), mode=CAR)
    assert found.off_road == (3,)
    assert found.seconds[0, 4] == 40
    assert np.isnan(found.seconds[0, 3])


def test_a_busy_server_is_asked_again_after_a_while(server: tuple[Server, str]) -> None:
    """A moment's overload must not make a whole week's rosters fall back."""
    town, url = server
    town.fails = [(503, b"busy"), (429, b"slow down")]
    waited: list[float] = []
    found = OsrmTable(url=url, wait=waited.append).times(places=places(3), mode=CAR)
    np.testing.assert_allclose(found.seconds, expected(3))
    assert waited == [1.0, 2.0]


def test_a_server_that_stays_silent_is_said_to_be_unreachable(server: tuple[Server, str]) -> None:
    """The service then says so and takes the policy's times; hanging for ever helps nobody."""
    town, url = server
    town.fails = [(502, b"")] * 10
    with pytest.raises(RoadsUnreachable, match=r"at 127\.0\.0\.1 does not answer \(HTTP 502\)"):
        OsrmTable(url=url, wait=_impatient).times(places=places(3), mode=CAR)
    with pytest.raises(RoadsUnreachable, match="does not answer"):
        OsrmTable(url="http://127.0.0.1:1", wait=_impatient).times(places=places(2), mode=CAR)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, b"<html>sign in</html>"), "does not answer as OSRM does"),
        ((404, {"detail": "not found"}), "does not answer as OSRM does"),
        ((400, {"code": "InvalidUrl", "message": "URL string malformed"}), "OSRM refuses: InvalidUrl: URL string malformed"),
        ((200, {"code": "Ok", "durations": [[0, 1]], "sources": [{}]}), "answers fewer times than were asked for"),
        ((200, {"code": "Ok", "durations": [[0, -1], [1, 0]], "sources": [{}, {}]}), "answers a time below 0"),
        ((200, {"code": "Ok", "durations": [["x", 1], [1, 0]], "sources": [{}, {}]}), "answers a time that is no number"),
    ],
)  # fmt: skip
def test_an_answer_of_another_shape_is_refused_with_the_remedy(
    server: tuple[Server, str], answer: Answer, sentence: str
) -> None:
    """A proxy's sign-in page, or half a table, must not become anybody's journey."""
    town, url = server
    town.fails = [answer]
    with pytest.raises(RoadsRefused, match=sentence):
        OsrmTable(url=url, wait=_impatient).times(places=places(2), mode=CAR)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("routing.example.org", "is no address of a server"),
        ("ftp://routing.example.org", "is no address of a server"),
        ("http://routing.example.org", "would send the places of homes in the clear"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str, sentence: str) -> None:
    """Where the people live whom carers visit must not cross the internet for anybody to read."""
    with pytest.raises(RoadsRefused, match=sentence):
        OsrmTable(url=url)


def test_a_server_of_the_own_network_may_be_plain_and_is_named_in_the_attribution() -> None:
    """Most run their own beside popback; its data's licence asks for a line."""
    assert "Valhalla at routing" in ValhallaTable(url="http://routing:8002").attribution
    assert "OpenStreetMap contributors" in OsrmTable(url="https://routing.example.org").attribution


def _impatient(seconds: float) -> None:
    del seconds
