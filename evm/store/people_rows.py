"""Customers, care workers and devices as database rows and back. Not the statements (people, people_changes)."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Row

from evm.domain.ids import CustomerId, DeviceId, LocalityId, ProviderId, WorkerId
from evm.domain.people import CareWorker, Customer, Gender, Shift, Training, TravelMode
from evm.domain.place import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """An enrolled device. `password_hash` is Mosquitto's own form, so that one hash serves both brokers; `worker` None: shared."""

    provider: ProviderId
    device: DeviceId
    device_type: str
    worker: WorkerId | None
    password_hash: str
    enrolled_at: datetime
    revoked_at: datetime | None = None
    signed: bool = False


def customer_values(c: Customer) -> dict[str, Any]:
    """A customer as its row, without landlines and tags."""
    return {
        "customer_id": c.customer_id,
        "provider_id": c.provider_id,
        "locality_id": c.locality_id,
        "name": c.name,
        "address": c.address,
        "postcode": c.postcode,
        "latitude": c.home.latitude,
        "longitude": c.home.longitude,
        "radius_m": c.home.radius_m,
        "phone": c.phone,
        "next_of_kin_name": c.next_of_kin_name,
        "next_of_kin_phone": c.next_of_kin_phone,
        "landline_code": c.landline_code,
        "gender_required": c.gender_required,
        "language_required": c.language_required,
        "workers_excluded": sorted(c.workers_excluded),
        "workers_preferred": list(c.workers_preferred),
        "nhs_number": c.nhs_number,
    }


def customer_of(r: Row[Any]) -> Customer:
    """The customer of a row, without landlines and tags."""
    return Customer(
        customer_id=CustomerId(r.customer_id),
        provider_id=ProviderId(r.provider_id),
        locality_id=LocalityId(r.locality_id),
        name=r.name,
        address=r.address,
        postcode=r.postcode,
        home=Home(latitude=r.latitude, longitude=r.longitude, radius_m=r.radius_m),
        phone=r.phone,
        next_of_kin_name=r.next_of_kin_name,
        next_of_kin_phone=r.next_of_kin_phone,
        landline_code=r.landline_code,
        gender_required=None if r.gender_required is None else Gender(r.gender_required),
        language_required=r.language_required,
        workers_excluded=frozenset(WorkerId(w) for w in r.workers_excluded),
        workers_preferred=tuple(WorkerId(w) for w in r.workers_preferred),
        nhs_number=r.nhs_number,
    )


def worker_values(w: CareWorker) -> dict[str, Any]:
    """A care worker as its row."""
    return {
        "worker_id": w.worker_id,
        "provider_id": w.provider_id,
        "locality_id": w.locality_id,
        "name": w.name,
        "latitude": w.home.latitude,
        "longitude": w.home.longitude,
        "gender": w.gender,
        "phone": w.phone,
        "mode": w.mode,
        "languages": sorted(w.languages),
        "skills": sorted(w.skills),
        "shifts": [
            {"weekday": s.weekday, "since": s.since.isoformat(), "until": s.until.isoformat()} for s in w.shifts
        ],
        "leave": [day.isoformat() for day in w.leave],
        "dialled_number": w.dialled_number,
        "pin": w.pin,
        "hours_day_max": w.hours_day_max,
        "hours_week_max": w.hours_week_max,
        "training": [{"skill": one.skill, "last_day": one.last_day.isoformat()} for one in w.training],
    }


def worker_of(r: Row[Any]) -> CareWorker:
    """The care worker of a row."""
    return CareWorker(
        worker_id=WorkerId(r.worker_id),
        provider_id=ProviderId(r.provider_id),
        locality_id=LocalityId(r.locality_id),
        name=r.name,
        home=Home(latitude=r.latitude, longitude=r.longitude),
        gender=Gender(r.gender),
        phone=r.phone,
        mode=TravelMode(r.mode),
        languages=frozenset(r.languages),
        skills=frozenset(r.skills),
        shifts=tuple(
            Shift(weekday=s["weekday"], since=time.fromisoformat(s["since"]), until=time.fromisoformat(s["until"]))
            for s in r.shifts
        ),
        leave=tuple(date.fromisoformat(day) for day in r.leave),
        dialled_number=r.dialled_number,
        pin=r.pin,
        hours_day_max=r.hours_day_max,
        hours_week_max=r.hours_week_max,
        training=tuple(
            Training(skill=one["skill"], last_day=date.fromisoformat(one["last_day"])) for one in r.training or ()
        ),
    )


def device_of(r: Row[Any]) -> DeviceRow:
    """The device of a row."""
    return DeviceRow(
        provider=ProviderId(r.provider_id),
        device=DeviceId(r.device_id),
        device_type=r.device_type,
        worker=None if r.worker_id is None else WorkerId(r.worker_id),
        password_hash=r.password_hash,
        enrolled_at=r.enrolled_at,
        revoked_at=r.revoked_at,
        signed=r.signed,
    )
