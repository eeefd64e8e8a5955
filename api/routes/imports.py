"""Files taken in by programs: the same kinds, layouts and scope as the pages (api.pages.imports), in one request."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool

from api import auth, importing
from api.auth import FileTaker, Viewer
from api.importing import FileRefused, LayoutRefused, Order
from api.intake import answer_of
from api.pages.imports import RECORDS_LOOKED_AT, is_theirs, scope_of_file
from api.problems import Problem, answer
from api.query import PageQuery, Strict
from api.routes.visits import Answer
from api.site import Site, site_of
from evm.services.imports.run import ImportReport
from evm.store import imports

router = APIRouter(tags=["imports"])
OptionalId = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")] | None
CSV_BODY = {
    "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}
}


class ImportQuery(Strict):
    """What the body is. `layout`: "standard" (columns named as ours) or a packaged one; `provider`, `council`: administrators may keep a
    file to one; everybody else's are kept to their own. `exported_at` with its offset: an older file than the last is refused."""

    kind: Annotated[str, Field(max_length=40)]
    layout: Annotated[str, Field(max_length=40)] = importing.STANDARD
    dry_run: bool = False
    file_name: Annotated[str, Field(max_length=200)] = "file.csv"
    provider: OptionalId = None
    council: OptionalId = None
    exported_at: AwareDatetime | None = None


class RowWords(Answer):
    """What is said of a row; `row` is its line in the file, the header being 1; an empty `field` is the whole row."""

    row: int
    field: str
    words: str


class RowChange(Answer):
    row: int
    outcome: str
    subject: str
    words: str


class RecordAnswer(Answer):
    """A file that was taken in."""

    kind: str
    file: str
    sha256: str
    layout: str
    provider: str | None
    council: str | None
    imported_at: datetime
    imported_by: str
    exported_at: datetime | None
    rows: int
    new: int
    changed: int
    same: int


class ReportAnswer(Answer):
    """What became of a file, or would. `already`: this very file was taken in before, and nothing was done. At most a thousand errors,
    warnings and changes are listed; all are counted."""

    kind: str
    file: str
    sha256: str
    dry_run: bool
    taken_in: bool
    stopped: bool
    already: RecordAnswer | None
    rows: int
    new: int
    changed: int
    same: int
    rejected: int
    errors: tuple[RowWords, ...]
    errors_total: int
    warnings: tuple[RowWords, ...]
    warnings_total: int
    changes: tuple[RowChange, ...]


class RecordsAnswer(Answer):
    page: int
    imports: tuple[RecordAnswer, ...]


@router.get("/v1/imports", summary="Files taken in")
def taken_in(request: Request, query: Annotated[PageQuery, Query()], viewer: FileTaker) -> RecordsAnswer:
    from api.intake import record_answer

    site = site_of(request)
    with site.reading() as session:
        records = imports.records(session, limit=RECORDS_LOOKED_AT)
    theirs = [record for record in records if is_theirs(record, viewer)]
    since = (query.page - 1) * site.settings.page_rows
    some = theirs[since : since + site.settings.page_rows]
    return RecordsAnswer(page=query.page, imports=tuple(RecordAnswer(**record_answer(record)) for record in some))


@router.post(
    "/v1/imports",
    summary="Take a file in, or see what that would do",
    response_model=ReportAnswer,
    openapi_extra=CSV_BODY,
    responses={
        201: {"model": ReportAnswer, "description": "Taken in"},
        422: {"description": "Nothing was taken in: problem+json; `errors` names every row at fault"},
    },
)
async def take_in(request: Request, query: Annotated[ImportQuery, Query()], viewer: FileTaker) -> Response:
    """The body is the CSV file, at most 10 MB. A dry run answers 200 with the report, whatever is in the file."""
    auth.check_program(request, viewer)
    order = _order(query, viewer)
    if query.exported_at is not None and query.exported_at > site_of(request).clock():
        raise Problem(422, "import-exported-at", "exported_at: it lies in the future: when was the file made?")
    with tempfile.TemporaryDirectory(prefix="popback-import-") as directory:
        path = Path(directory) / importing.safe_name(query.file_name)
        with path.open("wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
        report = await run_in_threadpool(_run, site_of(request), path, order, dry_run=query.dry_run)
    if report.refused and not query.dry_run:
        return _refusal(request, report)
    return JSONResponse(answer_of(report), status_code=201 if report.taken_in else 200)


def _order(query: ImportQuery, viewer: Viewer) -> Order:
    choices = importing.choices_for(viewer)
    if not any(choice.kind.name == query.kind for choice in choices):
        kinds = sorted({choice.kind.name for choice in choices})
        raise Problem(422, "import-kind", f"kind: you take in {', '.join(kinds) or 'nothing'}, not {query.kind!r}.")
    if not any((choice.kind.name, choice.layout) == (query.kind, query.layout) for choice in choices):
        layouts = importing.layouts_of(query.kind)
        raise Problem(422, "import-layout", f"layout: {query.layout!r} is none of {', '.join(layouts)}.")
    provider, council = scope_of_file(viewer, provider=query.provider, council=query.council)
    return Order(
        kind=query.kind,
        layout=query.layout,
        provider=provider,
        council=council,
        exported_at=query.exported_at,
        who=viewer.account.name,
    )


def _run(site: Site, path: Path, order: Order, *, dry_run: bool) -> ImportReport:
    try:
        return importing.take_in(
            sessions=site.sessions, path=path, order=order, policy=site.policy, now=site.clock(), dry_run=dry_run
        )
    except FileRefused as refused:
        raise Problem(refused.status, "import-file", str(refused)) from refused
    except LayoutRefused as refused:
        raise Problem(422, "import-layout", str(refused)) from refused


def _refusal(request: Request, report: ImportReport) -> Response:
    errors: list[dict[str, Any]] = [
        {"where": ["body", str(error.row), error.field], "words": error.words} for error in report.errors
    ]
    words = f"{report.rejected} rows cannot be taken in; nothing was. Mend them and send the file again."
    return answer(request, status=422, code="import-rows", words=words, errors=errors)
