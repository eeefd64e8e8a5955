"""People come back from the database exactly as they went in."""

from datetime import date

from sqlalchemy.orm import Session

from evm.domain.people import TravelMode
from evm.store import people
from tests import factories
from tests.factories import PROVIDER


def test_customers_and_workers_come_back_as_they_went_in(session: Session) -> None:
    """A field forgotten in either direction would silently lose a preference, a skill or a landline."""
    customer = factories.customer(
        phone="+441614960001",
        next_of_kin_name="Kin",
        next_of_kin_phone="+441614960002",
        landlines=("+441614960003", "+441614960004"),
        landline_code="12",
        gender_required=factories.Gender.FEMALE,
        language_required="ur",
        workers_excluded=frozenset({"w9"}),
        workers_preferred=("w1", "w0"),
    )
    worker = factories.worker(
        phone="+447700900000",
        mode=TravelMode.BUS,
        languages=frozenset({"en", "ur"}),
        skills=frozenset({"peg"}),
        leave=(date(2026, 12, 25),),
        dialled_number="+441614960100",
        pin="0042",
    )
    device = factories.device(signed=True)
    factories.seed(session, customers=[customer], workers=[worker], devices=[device])
    assert people.customers(session, provider_id=PROVIDER) == (customer,)
    assert people.customer(session, customer_id=customer.customer_id) == customer
    assert people.customer(session, customer_id="nobody") is None
    assert people.workers(session, locality_id=factories.LOCALITY) == (worker,)
    assert people.worker(session, worker_id=worker.worker_id) == worker
    assert people.devices(session) == (device,)
    assert people.device(session, provider=PROVIDER, device=device.device) == device
    assert people.device(session, provider="other", device=device.device) is None


def test_tags_lines_numbers_and_pins_resolve(session: Session) -> None:
    """A couple on one line must both be found, and a PIN counts only within its provider."""
    line = "+441614960003"
    couple = [factories.customer("c2", landlines=(line,)), factories.customer("c1", landlines=(line,))]
    factories.seed(session, customers=couple, workers=[factories.worker(dialled_number="+44161", pin="1234")])
    assert people.customer_of_tag(session, tag="tag-c2") == "c2"
    assert people.customer_of_tag(session, tag="unknown") is None
    assert people.customers_of_line(session, line=line) == ("c1", "c2")
    assert people.worker_of_number(session, number="+44161") == "w1"
    assert people.worker_of_pin(session, provider_id=PROVIDER, pin="1234") == "w1"
    assert people.worker_of_pin(session, provider_id="other", pin="1234") is None


def test_a_revoked_device_stays_known_as_revoked(session: Session) -> None:
    """Deleting it would turn its stored evidence into a stranger's."""
    factories.seed(session)
    assert people.revoke_device(session, provider=PROVIDER, device="p1", now=factories.NINE)
    assert not people.revoke_device(session, provider=PROVIDER, device="p1", now=factories.NINE)
    found = people.device(session, provider=PROVIDER, device="p1")
    assert found is not None
    assert found.revoked_at == factories.NINE
