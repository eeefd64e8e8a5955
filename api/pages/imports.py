"""The pages of imports: what was taken in, a file uploaded and looked at, confirmed or discarded. Not the work on it (api.import_desk) and
not the kinds of file (evm.services.imports)."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import Field, StringConstraints, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from api import auth, importing
from api.auth import FileTaker, Viewer
from api.import_desk import INTERRUPTED, KEPT_HOURS, SHOWN_HOURS, ImportDesk
from api.importing import UPLOAD_BYTES_MAX, Choice
from api.intake import template_of
from api.pages.render import render
from api.problems import Problem, not_found
from api.query import Strict
from api.site import Site, site_of
from evm.domain.ids import CouncilId, ProviderId
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, to_utc
from evm.store import imports, people, uploads
from evm.store.accounts import Role
from evm.store.imports import ImportRecord
from evm.store.uploads import RUNNING, Upload, UploadState

router = APIRouter(include_in_schema=False)
RECORDS_SHOWN: Final = 50
RECORDS_LOOKED_AT: Final = 1_000
WAITING_MAX: Final = 5
WAIT_SECONDS: Final = 1.5
REFRESH_SECONDS: Final = 2
FIELDS_MAX: Final = 8
UploadId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]


class ImportsQuery(Strict):
    """Nothing to choose yet."""


class UploadForm(Strict):
    """What a file is. `exported_at` is local: 2026-11-02T07:30."""

    csrf_token: Annotated[str, Field(max_length=200)]
    choice: Annotated[str, Field(max_length=100)] = ""
    provider: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,32})?$")] = ""
    council: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,32})?$")] = ""
    exported_at: Annotated[str, Field(max_length=20)] = ""


class ConfirmForm(Strict):
    """The file that was looked at, and no other."""

    csrf_token: Annotated[str, Field(max_length=200)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DiscardForm(Strict):
    csrf_token: Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What is wrong with the form: the field at fault and the sentence."""

    field: str
    words: str


def desk_of(request: Request) -> ImportDesk:
    """The desk of this site's process."""
    desk: ImportDesk = request.app.state.desk
    return desk


@router.get("/imports")
def imports_page(request: Request, query: Annotated[ImportsQuery, Query()], viewer: FileTaker) -> Response:
    del query
    return _list_page(request, viewer=viewer)


def _list_page(
    request: Request, *, viewer: Viewer, wrong: Wrong | None = None, filled: UploadForm | None = None, status: int = 200
) -> Response:
    with site_of(request).reading() as session:
        records = [record for record in imports.records(session, limit=RECORDS_LOOKED_AT) if is_theirs(record, viewer)]
        own = uploads.waiting(session, account_id=viewer.account.account_id)
        admin = viewer.account.role is Role.ADMIN
        providers = people.providers(session) if admin else ()
        councils = people.councils(session) if admin else ()
    facts = {
        "records": records[:RECORDS_SHOWN],
        "records_shown": RECORDS_SHOWN,
        "waiting": own,
        "choices": importing.choices_for(viewer),
        "providers": providers,
        "councils": councils,
        "wrong": wrong,
        "filled": filled,
        "megabytes_max": UPLOAD_BYTES_MAX // 2**20,
        "kept_hours": KEPT_HOURS,
        "no_scope": viewer.scope.nothing,
        "one_locality": importing.is_of_one_locality(viewer),
    }
    return render(request, template="imports.html", facts=facts, status=status)


def is_theirs(record: ImportRecord, viewer: Viewer) -> bool:
    """Whether the viewer may know of it: an administrator of all, everybody else of those kept to their own provider or council."""
    scope = viewer.scope
    if scope.nothing or importing.is_of_one_locality(viewer):
        return False
    if viewer.account.role is Role.ADMIN:
        return True
    return (record.provider_id, record.council_id) == (scope.provider_id, scope.council_id)


@router.post("/imports")
async def upload(request: Request, viewer: FileTaker) -> Response:
    """The file comes in as a stream; who may not send one was refused before its first byte was read."""
    auth.check_same_site(request)
    form = await request.form(max_files=1, max_fields=FIELDS_MAX, max_part_size=2_000)
    try:
        return await run_in_threadpool(_receive, request, viewer, form)
    finally:
        await form.close()


def _receive(request: Request, viewer: Viewer, form: FormData) -> Response:
    filled = _checked_form({key: value for key, value in form.multi_items() if isinstance(value, str)})
    auth.check_csrf(viewer, token=filled.csrf_token)
    site = site_of(request)
    choice = next((each for each in importing.choices_for(viewer) if each.value == filled.choice), None)
    file = form.get("file")
    wrong = _wrong(site, choice=choice, filled=filled, file=file)
    if wrong is not None or choice is None or not isinstance(file, UploadFile):
        return _list_page(request, viewer=viewer, wrong=wrong, filled=filled, status=422)
    _make_room(site, viewer)
    content = file.file.read()
    new = _upload(request, viewer, choice=choice, filled=filled, file_name=file.filename, content=content)
    with site.sessions.begin() as session:
        uploads.forget_expired(session, now=site.clock())
        uploads.add(session, upload=new, content=content)
    desk = desk_of(request)
    desk.submit(upload_id=new.upload_id, who=viewer.account.name)
    desk.wait(upload_id=new.upload_id, seconds=WAIT_SECONDS)
    return RedirectResponse(f"/imports/{new.upload_id}", status_code=303)


def _checked_form(given: Mapping[str, str]) -> UploadForm:
    try:
        return UploadForm(**given)
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error


def _wrong(site: Site, *, choice: Choice | None, filled: UploadForm, file: object) -> Wrong | None:
    if choice is None:
        return Wrong(field="choice", words="Choose what the file holds")
    if not isinstance(file, UploadFile) or not file.filename:
        return Wrong(field="file", words="Choose a file")
    if file.size is not None and file.size > UPLOAD_BYTES_MAX:
        raise Problem(
            413, "size", f"A file has at most {UPLOAD_BYTES_MAX // 2**20} MB: split it, each part with the header."
        )
    try:
        _exported_at(site, filled)
    except ValueError as error:
        return Wrong(field="exported_at", words=str(error))
    with site.reading() as session:
        if filled.provider and filled.provider not in {one.provider_id for one in people.providers(session)}:
            return Wrong(field="provider", words="There is no such provider")
        if filled.council and filled.council not in {one.council_id for one in people.councils(session)}:
            return Wrong(field="council", words="There is no such council")
    return None


def _exported_at(site: Site, filled: UploadForm) -> datetime | None:
    """The local time the form gives as an instant. Raises ValueError with the sentence."""
    if not filled.exported_at:
        return None
    try:
        local = datetime.fromisoformat(filled.exported_at)
    except ValueError:
        raise ValueError("Write the day and time as 2026-11-02T07:30") from None
    if local.tzinfo is not None:
        raise ValueError("Write the local day and time, without a zone")
    try:
        found = to_utc(day=local.date(), at=local.time(), zone=site.settings.zone)
    except (NonexistentLocalTime, AmbiguousLocalTime) as error:
        raise ValueError(f"{error} Give a time an hour apart.") from None
    if found > site.clock():
        raise ValueError("That lies in the future: when was the file made?")
    return found


def _make_room(site: Site, viewer: Viewer) -> None:
    with site.reading() as session:
        own = uploads.waiting(session, account_id=viewer.account.account_id)
    if len([each for each in own if each.expires_at > site.clock()]) >= WAITING_MAX:
        words = f"You have {WAITING_MAX} uploads waiting already. Confirm or discard one of them first."
        raise Problem(409, "uploads-waiting", words)


def scope_of_file(
    viewer: Viewer, *, provider: str | None, council: str | None
) -> tuple[ProviderId | None, CouncilId | None]:
    """To whom a file is kept: an administrator may say so, everybody else's are kept to their own."""
    account = viewer.account
    if account.role is not Role.ADMIN:
        provider, council = account.provider_id, account.council_id
    return ProviderId(provider) if provider else None, CouncilId(council) if council else None


def _upload(
    request: Request, viewer: Viewer, *, choice: Choice, filled: UploadForm, file_name: str | None, content: bytes
) -> Upload:
    site = site_of(request)
    account, now = viewer.account, site.clock()
    provider, council = scope_of_file(viewer, provider=filled.provider, council=filled.council)
    return Upload(
        upload_id=secrets.token_hex(16),
        account_id=account.account_id,
        kind=choice.kind.name,
        layout=choice.layout,
        provider_id=provider,
        council_id=council,
        exported_at=_exported_at(site, filled),
        file_name=importing.safe_name(file_name),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        state=UploadState.CHECKING,
        worker=desk_of(request).name,
        rows_done=0,
        rows_total=0,
        report=None,
        words=None,
        created_at=now,
        beat_at=now,
        expires_at=now + timedelta(hours=KEPT_HOURS),
    )


@router.get("/imports/example/{kind}.csv")
def example(kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")], viewer: FileTaker) -> Response:
    """The columns of a kind that the viewer takes in, with a row of examples."""
    chosen = next((each.kind for each in importing.choices_for(viewer) if each.kind.name == kind), None)
    if chosen is None and importing.is_kind(kind):
        raise Problem(403, "role", f"Your role ({viewer.account.role.value}) does not take in files of this kind.")
    if chosen is None:
        raise not_found()
    name = f'attachment; filename="{kind}.csv"'
    return Response(template_of(chosen), media_type="text/csv", headers={"content-disposition": name})


@router.get("/imports/{upload_id}")
def upload_page(request: Request, upload_id: UploadId, viewer: FileTaker) -> Response:
    return _upload_page(request, upload_id=upload_id, viewer=viewer)


def _upload_page(
    request: Request, *, upload_id: str, viewer: Viewer, error: str | None = None, status: int = 200
) -> Response:
    found = _own(request, upload_id=upload_id, viewer=viewer)
    job = desk_of(request).job(upload_id)
    running = found.state in RUNNING
    facts = {
        "upload": found,
        "kind": importing.kind_named(found.kind),
        "running": running,
        "rows_done": job.rows_done if job else found.rows_done,
        "rows_total": job.rows_total if job else found.rows_total,
        "report": found.report,
        "for_provider": ProviderId(found.provider_id) if found.provider_id else None,
        "for_council": CouncilId(found.council_id) if found.council_id else None,
        "shown_hours": SHOWN_HOURS,
        "error": error,
    }
    page = render(request, template="import.html", facts=facts, status=status)
    if running:
        page.headers["refresh"] = str(REFRESH_SECONDS)  # works without scripts
    return page


def _own(request: Request, *, upload_id: str, viewer: Viewer) -> Upload:
    """The viewer's upload; one that nobody works on any more is marked as stopped first. 404 for everybody else's."""
    site, desk = site_of(request), desk_of(request)
    with site.reading() as session:
        found = uploads.upload(session, upload_id=upload_id)
    if found is None or found.account_id != viewer.account.account_id or found.expires_at <= site.clock():
        raise not_found()
    if not desk.is_silent(found):
        return found
    with site.sessions.begin() as session:
        uploads.end(
            session,
            upload_id=upload_id,
            state=UploadState.STOPPED,
            was=found.state,
            expires_at=site.clock() + timedelta(hours=SHOWN_HOURS),
            words=INTERRUPTED,
        )
    with site.reading() as session:
        return uploads.upload(session, upload_id=upload_id) or found


@router.post("/imports/{upload_id}/confirm")
def confirm(request: Request, upload_id: UploadId, form: Annotated[ConfirmForm, Form()], viewer: FileTaker) -> Response:
    """Take in exactly what was looked at."""
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site, desk = site_of(request), desk_of(request)
    found = _own(request, upload_id=upload_id, viewer=viewer)
    if form.sha256 != found.sha256:
        words = "This is not the file you looked at: look at it again before you confirm"
        return _upload_page(request, upload_id=upload_id, viewer=viewer, error=words, status=409)
    with site.sessions.begin() as session:
        started = uploads.start_taking(session, upload_id=upload_id, worker=desk.name, now=site.clock())
    if not started and found.state is UploadState.CHECKED:
        words = "It is being taken in already, or has expired"
        return _upload_page(request, upload_id=upload_id, viewer=viewer, error=words, status=409)
    if started:
        desk.submit(upload_id=upload_id, who=viewer.account.name)
        desk.wait(upload_id=upload_id, seconds=WAIT_SECONDS)
    return RedirectResponse(f"/imports/{upload_id}", status_code=303)


@router.post("/imports/{upload_id}/discard")
def discard(request: Request, upload_id: UploadId, form: Annotated[DiscardForm, Form()], viewer: FileTaker) -> Response:
    """Forget the file; what is being done with it is stopped and leaves nothing."""
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    site, desk = site_of(request), desk_of(request)
    found = _own(request, upload_id=upload_id, viewer=viewer)
    job = desk.job(upload_id)
    if job is not None:
        job.stop.set()
        desk.wait(upload_id=upload_id, seconds=WAIT_SECONDS)
        return RedirectResponse(f"/imports/{upload_id}", status_code=303)
    with site.sessions.begin() as session:
        uploads.end(
            session,
            upload_id=upload_id,
            state=UploadState.STOPPED,
            was=found.state,
            expires_at=site.clock(),
            words="Discarded",
        )
    return RedirectResponse("/imports", status_code=303)
