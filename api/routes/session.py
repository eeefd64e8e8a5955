"""Who is signed in, for programs: the role, the scope and the token their changes must carry. Signing in is a page (api.pages.account)."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.auth import SignedInViewer

router = APIRouter(tags=["session"])


class SessionAnswer(BaseModel):
    """`csrf_token` goes into the header X-CSRF-Token of every POST."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: str
    council_id: str | None
    provider_id: str | None
    locality_id: str | None
    rights: tuple[str, ...]
    csrf_token: str


@router.get("/v1/session", summary="Who I am")
def session(viewer: SignedInViewer) -> SessionAnswer:
    account = viewer.account
    return SessionAnswer(
        name=account.name,
        role=account.role.value,
        council_id=account.council_id,
        provider_id=account.provider_id,
        locality_id=account.locality_id,
        rights=tuple(sorted(right.value for right in viewer.rights)),
        csrf_token=viewer.csrf_token,
    )
