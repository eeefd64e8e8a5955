"""Councils, providers, branches, customers, next of kin and care workers: what a row adds, changes and may not touch."""

from datetime import date, time

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.ids import CustomerId, WorkerId
from evm.domain.people import CareWorker, Customer, Gender, Shift, Training, TravelMode
from evm.domain.place import Home
from evm.store import people, postcodes
from tests.services.imports.files import ANN, BOB, COUNCIL, CUSTOMERS, OTHER, PROVIDER, settle, take, taken, words_of

WORKERS = "worker,name,gender,latitude,longitude,postcode\n"
CY = "w1,Cy,female,53.79,-1.54,LS1 4AP\n"


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    settle(sessions)
    return sessions


def customer(town: sessionmaker[Session], name: str = "c1") -> Customer:
    with town() as session:
        found = people.customer(session, customer_id=CustomerId(name))
    assert found is not None
    return found


def worker(town: sessionmaker[Session], name: str = "w1") -> CareWorker:
    with town() as session:
        found = people.worker(session, worker_id=WorkerId(name))
    assert found is not None
    return found


def test_councils_providers_and_branches_are_added_and_renamed(town, tmp_path):
    """A new agency begins with these: without them nobody else can be taken in."""
    report = taken(town, tmp_path, "councils", "council,name\nleeds,Leeds City\nyork,York\n", provider=None)
    assert [(each.outcome, each.words) for each in report.changes] == [
        ("changed", "name: Leeds → Leeds City"),
        ("new", "York"),
    ]
    taken(town, tmp_path, "providers", "provider,name\nthirdcare,Third\nnorthcare,North\n", provider=None)
    taken(town, tmp_path, "branches", "branch,name,phone\nn1,Office,0113 496 0000\n")
    report = taken(town, tmp_path, "branches", "branch,name,phone\nn1,Office,0113 496 0001\n")
    assert report.changes[0].words == "phone: +441134960000 → +441134960001"
    with town() as session:
        assert [one.name for one in people.councils(session)] == ["Leeds City", "York"]
        assert [one.provider_id for one in people.providers(session)] == ["northcare", "othercare", "thirdcare"]
        assert [(one.provider_id, one.phone) for one in people.branches(session)] == [("northcare", "+441134960001")]


def test_a_customer_is_kept_with_every_column(town, tmp_path):
    """A column that is read and not kept is a requirement nobody meets."""
    header = (
        "customer,name,address,postcode,latitude,longitude,radius_m,phone,landlines,landline_code,tags,gender_required,"
        "language_required,workers_excluded,workers_preferred,nhs_number\n"
    )
    row = (
        'c1,Ann,"1 Example Road\nLeeds",ls14ap,53.7997,-1.5492,80,0113 496 0001,0113 496 0001; 0113 496 0002,07,t1; t2,female,'
        "pa,w9,w1; w2,943 476 5919\n"
    )
    taken(town, tmp_path, "customers", header + row)
    assert customer(town) == Customer(
        customer_id=CustomerId("c1"),
        provider_id=PROVIDER,
        locality_id=customer(town).locality_id,
        name="Ann",
        address="1 Example Road, Leeds",
        postcode="LS1 4AP",
        home=Home(latitude=53.7997, longitude=-1.5492, radius_m=80),
        phone="+441134960001",
        landlines=("+441134960001", "+441134960002"),
        landline_code="07",
        tags=("t1", "t2"),
        gender_required=Gender.FEMALE,
        language_required="pa",
        workers_excluded=frozenset({WorkerId("w9")}),
        workers_preferred=(WorkerId("w1"), WorkerId("w2")),
        nhs_number="9434765919",
    )
    assert customer(town).locality_id == "ls1"


def test_a_column_left_out_keeps_what_stands_an_empty_cell_empties_it_and_a_customer_not_named_stays(town, tmp_path):
    """A file of new telephone numbers would take everybody's tags and other people's customers away."""
    taken(
        town,
        tmp_path,
        "customers",
        CUSTOMERS.strip() + ",phone,tags\n" + ANN.strip() + ",0113 496 0001,t1\n" + BOB.strip() + ",,t2\n",
    )
    report = taken(town, tmp_path, "customers", CUSTOMERS.strip() + ",phone\n" + ANN.strip() + ",\n")
    assert report.changes[0].words == "phone: +441134960001 → none"
    assert (customer(town).phone, customer(town).tags) == (None, ("t1",))
    assert customer(town, "c2").tags == ("t2",)


def test_what_does_not_differ_is_the_same(town, tmp_path):
    """Every weekly export would show every customer as changed, and the true changes could not be seen."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN + BOB)
    report = taken(town, tmp_path, "customers", CUSTOMERS + BOB + ANN)
    assert (report.new, report.changed, report.same) == (0, 0, 2)


def test_a_provider_brings_its_own_people_only(town, tmp_path):
    """One agency's file would overwrite another's customer, or show whose it is."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN)
    taken(town, tmp_path, "workers", WORKERS + CY)
    for kind, content in (("customers", CUSTOMERS + ANN.replace("Ann", "Mine")), ("workers", WORKERS + CY)):
        ((row, field, words),) = words_of(take(town, tmp_path, kind, content + "\n", provider=OTHER))
        assert (row, field) == (2, "provider")
        assert "another provider's" in words
        assert "northcare" not in words
    ((_, field, _),) = words_of(
        take(town, tmp_path, "customers", "provider," + CUSTOMERS + "othercare," + BOB, provider=PROVIDER)
    )
    assert field == "provider"
    ((_, field, _),) = words_of(
        take(town, tmp_path, "next_of_kin", "customer,name,phone\nc1,Di,0113 496 0002\n", provider=OTHER)
    )
    assert field == "customer"
    assert customer(town).name == "Ann"


def test_who_comes_from_no_provider_must_say_whose_they_are(town, tmp_path):
    """Without either the row would belong to whoever runs the command."""
    assert words_of(take(town, tmp_path, "customers", CUSTOMERS + ANN, provider=None))[0][1] == "provider"
    taken(town, tmp_path, "customers", "provider," + CUSTOMERS + "othercare," + ANN, provider=None)
    assert customer(town).provider_id == OTHER


def test_a_tag_or_an_nhs_number_is_one_customers(town, tmp_path):
    """A check-in at one door would be another customer's visit."""
    header = CUSTOMERS.strip() + ",tags,nhs_number\n"
    taken(town, tmp_path, "customers", header + ANN.strip() + ",t1,943 476 5919\n")
    report = take(town, tmp_path, "customers", header + BOB.strip() + ",t1,9434765919\n")
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "tags"), (2, "nhs_number")]
    twins = BOB.strip() + ",t2,\n" + BOB.strip().replace("c2", "c3") + ",t2,\n"
    assert [(row, field) for row, field, _ in words_of(take(town, tmp_path, "customers", header + twins))] == [
        (3, "tags")
    ]


def test_row_73_a_wrong_nhs_number_or_postcode_is_its_rows_error(town, tmp_path):
    """A mistyped digit is another patient; a mistyped postcode puts a customer in another town."""
    header = CUSTOMERS.strip() + ",nhs_number\n"
    report = take(town, tmp_path, "customers", header + ANN.strip().replace("LS1 4AP", "LSI 4AP") + ",943 476 5918\n")
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, "postcode"), (2, "nhs_number")]


def test_a_place_outside_every_locality_is_refused_and_a_named_one_taken(town, tmp_path):
    """A customer in no locality stands on nobody's roster."""
    far = ANN.replace("LS1 4AP", "YO1 9TL")
    assert words_of(take(town, tmp_path, "customers", CUSTOMERS + far))[0][1] == "locality"
    taken(town, tmp_path, "customers", "locality," + CUSTOMERS + "ls1," + far)
    assert words_of(take(town, tmp_path, "customers", "locality," + CUSTOMERS + "ls9," + BOB))[0][1] == "locality"


def test_without_a_position_a_known_postcode_is_needed(town, tmp_path):
    """A customer at 0,0 would have every check-in refused."""
    header, row = "customer,name,address,postcode\n", "c1,Ann,1 Example Road,LS1 4AP\n"
    ((_, field, words),) = words_of(take(town, tmp_path, "customers", header + row))
    assert field == "latitude"
    assert "postcodes" in words


def test_next_of_kin_are_kept_by_customer(town, tmp_path):
    """Whom to ring would stand with nobody, or with everybody."""
    taken(town, tmp_path, "customers", CUSTOMERS + ANN)
    header = "customer,name,phone\n"
    assert taken(town, tmp_path, "next_of_kin", header + "c1,Di,0113 496 0002\n").new == 1
    assert taken(town, tmp_path, "next_of_kin", header + "c1,Di,0113 496 0003\n").changed == 1
    assert (customer(town).next_of_kin_name, customer(town).next_of_kin_phone) == ("Di", "+441134960003")
    assert customer(town).name == "Ann"
    assert words_of(take(town, tmp_path, "next_of_kin", header + "c7,Di,0113 496 0002\n"))[0][1] == "customer"


def test_a_care_worker_is_kept_with_every_column(town, tmp_path):
    """Availability or training that is read and not kept puts somebody on a run they cannot do."""
    header = (
        "worker,name,gender,latitude,longitude,phone,mode,languages,skills,training,availability,leave,dialled_number,pin,"
        "hours_day_max,hours_week_max,locality\n"
    )
    row = (
        "w1,Cy,male,53.79,-1.54,07700 900001,bus,en; pa,peg; hoist,medication until 2027-03-31,"
        '"Mon,Wed 07:00-14:00; Fri 22:00-07:00",2026-12-24; 2026-12-30..2027-01-01,0113 496 0100,0042,8,30,ls1\n'
    )
    taken(town, tmp_path, "workers", header + row)
    found = worker(town)
    assert (found.gender, found.mode, found.languages, found.skills) == (
        Gender.MALE,
        TravelMode.BUS,
        frozenset({"en", "pa"}),
        frozenset({"peg", "hoist"}),
    )
    assert found.training == (Training(skill="medication", last_day=date(2027, 3, 31)),)
    assert found.shifts == (
        Shift(weekday=0, since=time(7), until=time(14)),
        Shift(weekday=2, since=time(7), until=time(14)),
        Shift(weekday=4, since=time(22), until=time(7)),
    )
    assert found.leave == (date(2026, 12, 24), date(2026, 12, 30), date(2026, 12, 31), date(2027, 1, 1))
    assert (found.dialled_number, found.pin, found.hours_day_max, found.hours_week_max) == (
        "+441134960100",
        "0042",
        8,
        30,
    )
    assert found.phone == "+447700900001"


def test_training_counts_until_its_last_day_and_no_longer(town, tmp_path):
    """Somebody whose medicines training has run out would be sent to give medicine."""
    header = WORKERS.strip() + ",skills,training\n"
    taken(town, tmp_path, "workers", header + CY.strip() + ",hoist,medication until 2026-12-31\n")
    assert worker(town).skills_on(date(2026, 12, 31)) == {"hoist", "medication"}
    assert worker(town).skills_on(date(2027, 1, 1)) == {"hoist"}


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("availability", "Mon-Fri 7-14"),
        ("availability", "Mon-Fry 07:00-14:00"),
        ("availability", "Mon 07:00-14:00; Mon-Tue 13:00-15:00"),
        ("availability", "Sun 22:00-07:00; Mon 06:00-12:00"),
        ("availability", "Mon 07:00-07:00"),
        ("training", "medication"),
        ("training", "medication until 31/03/2027"),
        ("training", "Medication until 2027-03-31"),
        ("leave", "2026-12-31..2026-12-24"),
        ("leave", "christmas"),
        ("skills", "hoist; hoist"),
        ("languages", "English"),
        ("mode", "tram"),
        ("hours_day_max", "25"),
        ("pin", "12a"),
    ],
)
def test_what_cannot_be_read_is_its_columns_error(town, tmp_path, column, cell):
    """A guess would put a care worker on shift when they are not, or leave them out when they are."""
    report = take(town, tmp_path, "workers", WORKERS.strip() + f",{column}\n" + CY.strip() + f",{cell}\n")
    assert [(row, field) for row, field, _ in words_of(report)] == [(2, column)]


def test_a_pin_or_dialled_number_is_one_care_workers(town, tmp_path):
    """A call would check in somebody else."""
    header = WORKERS.strip() + ",dialled_number,pin\n"
    two = CY.strip() + ",0113 496 0100,0042\n" + CY.strip().replace("w1", "w2") + ",01134960100,0042\n"
    report = take(town, tmp_path, "workers", header + two)
    assert [(row, field) for row, field, _ in words_of(report)] == [(3, "dialled_number"), (3, "pin")]
    taken(town, tmp_path, "workers", header + CY.strip() + ",0113 496 0100,0042\n")
    other = take(town, tmp_path, "workers", header + CY.strip().replace("w1", "w3") + ",,0042\n", provider=OTHER)
    assert other.taken_in


def test_a_councils_file_brings_no_other_councils_names(town, tmp_path):
    """A council's own import would rename its neighbour."""
    report = take(town, tmp_path, "councils", "council,name\nyork,York\n", provider=None, council=COUNCIL)
    assert words_of(report)[0][:2] == (2, "council")


def know(town: sessionmaker[Session], packed: str, *, latitude: float, longitude: float) -> None:
    with town.begin() as session:
        row = postcodes.PostcodeRow(
            postcode=packed,
            latitude_e6=round(latitude * 1_000_000),
            longitude_e6=round(longitude * 1_000_000),
            terminated_month=None,
        )
        postcodes.add(session, rows=[row])


def test_row_73_a_position_more_than_500_m_from_its_postcode_is_said(town, tmp_path):
    """Latitude and longitude of another customer would pass, and every check-in at the door would be doubted."""
    know(town, "LS14AP", latitude=53.7997, longitude=-1.5492)
    near, far = ANN, BOB.replace("53.7998", "53.8043")
    report = taken(town, tmp_path, "customers", CUSTOMERS + near + far)
    assert [(warning.row, warning.field) for warning in report.warnings] == [(3, "latitude")]
    assert "512 m" in report.warnings[0].words
    unknown = CUSTOMERS + ANN.replace("c1", "c3").replace("LS1 4AP", "LS1 4AQ")
    assert words_of(take(town, tmp_path, "customers", unknown))[0][:2] == (2, "postcode")


def test_a_known_postcode_stands_in_for_a_position_and_a_new_one_moves_the_customer(town, tmp_path):
    """A customer who has moved would be checked in at the old door."""
    know(town, "LS14AP", latitude=53.7997, longitude=-1.5492)
    know(town, "LS15AB", latitude=53.7950, longitude=-1.5400)
    header = "customer,name,address,postcode\n"
    taken(town, tmp_path, "customers", header + "c1,Ann,1 Example Road,ls14ap\n")
    assert (customer(town).home.latitude, customer(town).home.longitude) == (53.7997, -1.5492)
    taken(town, tmp_path, "customers", header + "c1,Ann,5 Other Road,LS1 5AB\n")
    assert (customer(town).home.latitude, customer(town).home.longitude) == (53.795, -1.54)
