"""The strictness of query strings: no key unknown to the route, none twice. Not their values (the routes' models)."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Annotated, Final, get_args, get_origin, get_type_hints

from fastapi import Request
from fastapi.params import Query as QueryMark
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from api.problems import Problem

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
VisitKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9:-]{1,80}$")]
AlertNumber = Annotated[int, Field(ge=1, le=2**62)]
FlagNumber = Annotated[int, Field(ge=1, le=2**31 - 1)]
CARE_DAY_FIRST: Final = date(2020, 1, 1)
CARE_DAY_LAST: Final = date(2099, 12, 31)
CareDay = Annotated[date, Field(ge=CARE_DAY_FIRST, le=CARE_DAY_LAST)]
PageNumber = Annotated[int, Field(ge=1, le=10_000)]


class Strict(BaseModel):
    """A model of a query, a form or a body: nothing unknown, nothing changed afterwards, no NUL in any text (no database takes one)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_nul(cls, value: object) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("holds a NUL")
        return value


class PageQuery(Strict):
    """Which page of a list."""

    page: PageNumber = 1


def strict_query(request: Request) -> None:
    """A dependency of the whole app: refuse repeated and unknown keys and NUL (422) before the route reads any."""
    keys = [key for key, _ in request.query_params.multi_items()]
    if len(keys) != len(set(keys)):
        raise Problem(422, "query-repeated", "A key stands twice in the address.")
    unknown = set(keys) - query_keys(request.scope["endpoint"])
    if unknown:
        raise Problem(422, "query-unknown", f"Unknown in the address: {', '.join(sorted(unknown))[:100]}")
    if any("\x00" in text for text in request.query_params.values()):
        raise Problem(422, "query-nul", "The address holds a NUL.")


@lru_cache(maxsize=256)
def query_keys(endpoint: Callable[..., object]) -> frozenset[str]:
    """The keys a route reads: the fields of its one query model, `Annotated[Model, Query()]` (the convention of this site)."""
    names: set[str] = set()
    for hint in get_type_hints(endpoint, include_extras=True).values():
        model, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if any(isinstance(mark, QueryMark) for mark in marks):
            names.update(model.model_fields)
    return frozenset(names)


__all__ = [
    "CARE_DAY_FIRST",
    "CARE_DAY_LAST",
    "AlertNumber",
    "CareDay",
    "FlagNumber",
    "Id",
    "PageNumber",
    "PageQuery",
    "Strict",
    "VisitKey",
    "strict_query",
]
