"""A council's contracts with providers, locality by locality: made, ended, and never two that exclude each other. Not who may serve where
today (evm.services.localities) and not what is paid (agreements)."""

from dataclasses import replace
from datetime import date

from sqlalchemy.orm import Session

from evm.domain.contract import Contract, conflicts, said
from evm.domain.ids import CouncilId, LocalityId, ProviderId, is_id
from evm.services.localities import LocalityRefused
from evm.store import areas as store
from evm.store import money, people


def add_contract(
    session: Session,
    *,
    contract_id: str,
    provider_id: str,
    locality_id: str,
    since: date,
    until: date | None = None,
    exclusive: bool = True,
) -> Contract:
    """Write down a contract with the locality's council. Raises LocalityRefused naming the field; of two that exclude each other, both."""
    new = _checked(
        session,
        contract_id=contract_id,
        provider_id=provider_id,
        locality_id=locality_id,
        since=since,
        until=until,
        exclusive=exclusive,
    )
    if store.contract(session, contract_id=contract_id) is not None:
        raise LocalityRefused(field="contract", words=f"there is a contract {contract_id} already: choose another id")
    _refuse_conflicts(session, wanted=new)
    store.add_contract(session, new=new)
    _judge_again(session, new)
    return new


def set_contract(
    session: Session,
    *,
    contract_id: str,
    provider_id: str,
    locality_id: str,
    since: date,
    until: date | None,
    exclusive: bool,
) -> tuple[str, Contract, Contract]:
    """As `add_contract`, but of one that is there the dates and the kind are changed: "new", "changed" or "same", how it stood before and
    how it stands. One of several of a file: the caller asks `refuse_conflicts` when all are set."""
    before = store.contract(session, contract_id=contract_id)
    if before is None:
        new = _checked(
            session,
            contract_id=contract_id,
            provider_id=provider_id,
            locality_id=locality_id,
            since=since,
            until=until,
            exclusive=exclusive,
        )
        store.add_contract(session, new=new)
        _judge_again(session, new)
        return "new", new, new
    if (before.provider_id, before.locality_id) != (provider_id, locality_id):
        words = f"{said(before)} stands already: end it and give the new one another id"
        raise LocalityRefused(field="contract", words=words)
    wanted = replace(before, since=since, until=_until(since, until), exclusive=exclusive)
    if wanted == before:
        return "same", before, before
    store.lock_council(session, council_id=before.council_id)
    store.replace_contract(session, changed=wanted)
    _judge_again(session, before, wanted)
    return "changed", before, wanted


def refuse_conflicts(session: Session, *, council_id: CouncilId | None) -> None:
    """Raise LocalityRefused naming both when two contracts (of the council) exclude each other."""
    for first, second in conflicts(store.contracts(session, council_id=council_id)):
        raise LocalityRefused(field="exclusive", words=_conflict_words(first, second))


def end_contract(session: Session, *, contract_id: str, until: date) -> Contract:
    """End a contract: `until` is the first day on which it no longer holds. Raises LocalityRefused when there
    is none, or it ended before."""
    before = store.contract(session, contract_id=contract_id)
    if before is None:
        raise LocalityRefused(
            field="contract", words=f"there is no contract {contract_id!r}: see popback locality contract list"
        )
    if before.until is not None and before.until <= until:
        raise LocalityRefused(field="until", words=f"{said(before)} has ended by then already")
    ended = replace(before, until=_until(before.since, until))
    store.replace_contract(session, changed=ended)
    _judge_again(session, before, ended)
    return ended


def _judge_again(session: Session, *stood: Contract) -> None:
    """Whose lines are disallowed follows from the contracts: the first of a council bears on all its providers."""
    for council_id in {each.council_id for each in stood}:
        money.judge_again(session, council_id=council_id, since_day=min(each.since for each in stood))


def _checked(
    session: Session,
    *,
    contract_id: str,
    provider_id: str,
    locality_id: str,
    since: date,
    until: date | None,
    exclusive: bool,
) -> Contract:
    if not is_id(contract_id):
        raise LocalityRefused(field="contract", words="an id has 1 to 32 lower-case letters, digits and hyphens")
    providers = sorted(one.provider_id for one in people.providers(session))
    if provider_id not in providers:
        words = f"there is no provider {provider_id!r} in this database; it knows {', '.join(providers) or 'none'}"
        raise LocalityRefused(field="provider", words=words)
    place = store.locality(session, locality_id=LocalityId(locality_id))
    if place is None:
        words = f"there is no locality {locality_id!r}: see popback locality list"
        raise LocalityRefused(field="locality", words=words)
    store.lock_council(session, council_id=place.council_id)
    return Contract(
        contract_id=contract_id,
        council_id=CouncilId(place.council_id),
        provider_id=ProviderId(provider_id),
        locality_id=LocalityId(locality_id),
        since=since,
        until=_until(since, until),
        exclusive=exclusive,
    )


def _until(since: date, until: date | None) -> date | None:
    if until is not None and until <= since:
        words = f"{until} is the first day after the contract, and it begins on {since}: give a later day"
        raise LocalityRefused(field="until", words=words)
    return until


def _refuse_conflicts(session: Session, *, wanted: Contract) -> None:
    standing = store.contracts(session, locality_id=wanted.locality_id)
    others = [each for each in standing if each.contract_id != wanted.contract_id]
    for first, second in conflicts([*others, wanted]):
        if wanted.contract_id in {first.contract_id, second.contract_id}:
            raise LocalityRefused(field="exclusive", words=_conflict_words(first, second))


def _conflict_words(first: Contract, second: Contract) -> str:
    twice = first.provider_id == second.provider_id
    why = "the same provider twice" if twice else "an exclusive contract stands alone"
    return f"{said(first)} and {said(second)} are in force together: {why}. End one before the other begins"
