"""Who takes part: customers, care workers, providers, councils. Not their rosters and not their accounts on the site."""

from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum

from evm.domain.ids import BranchId, CouncilId, CustomerId, LocalityId, ProviderId, WorkerId
from evm.domain.place import Home


class Gender(StrEnum):
    """As far as care needs it: a customer may require a female or a male care worker."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class TravelMode(StrEnum):
    """How a care worker gets from visit to visit."""

    WALK = "walk"
    CYCLE = "cycle"
    CAR = "car"
    BUS = "bus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Council:
    council_id: CouncilId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A registered agency."""

    provider_id: ProviderId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    branch_id: BranchId
    provider_id: ProviderId
    name: str
    phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locality:
    locality_id: LocalityId
    council_id: CouncilId
    name: str
    outward_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """A person receiving care. `landlines` are E.164; `tags` are the ids of the NFC/QR/fixed tokens of that home.

    `landline_code` tells two customers who share one line apart (rules.md, couples)."""

    customer_id: CustomerId
    provider_id: ProviderId
    locality_id: LocalityId
    name: str
    address: str
    postcode: str
    home: Home
    phone: str | None = None
    next_of_kin_name: str | None = None
    next_of_kin_phone: str | None = None
    landlines: tuple[str, ...] = ()
    landline_code: str | None = None
    tags: tuple[str, ...] = ()
    gender_required: Gender | None = None
    language_required: str | None = None
    workers_excluded: frozenset[WorkerId] = frozenset()
    workers_preferred: tuple[WorkerId, ...] = ()
    nhs_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A skill that lasts until the end of the local day `last_day`."""

    skill: str
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A worker's weekly availability in local time. `weekday` 0 is Monday; `until` before `since` runs past midnight."""

    weekday: int
    since: time
    until: time


@dataclass(frozen=True, slots=True, kw_only=True)
class CareWorker:
    """A paid worker ("carer" is unpaid family). `dialled_number` is the provider's own number this worker rings from a landline;
    `pin` the code typed there instead. Neither is a secret that opens anything but a check-in."""

    worker_id: WorkerId
    provider_id: ProviderId
    locality_id: LocalityId
    name: str
    home: Home
    gender: Gender
    phone: str | None = None
    mode: TravelMode = TravelMode.CAR
    languages: frozenset[str] = frozenset({"en"})
    skills: frozenset[str] = frozenset()
    shifts: tuple[Shift, ...] = ()
    leave: tuple[date, ...] = ()
    dialled_number: str | None = None
    pin: str | None = None
    hours_day_max: int = 12
    hours_week_max: int = 48
    training: tuple[Training, ...] = ()

    def skills_on(self, day: date) -> frozenset[str]:
        """What the worker is able and allowed to do on a local day: lasting skills and training that has not run out by then."""
        return self.skills | {one.skill for one in self.training if day <= one.last_day}
