"""Prints the description of the HTTP API (OpenAPI 3.1): `python -m api.describe > docs/api/openapi.json`. Opens no database."""

import json
import sys
from datetime import UTC, datetime

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from api.app import create_app
from api.settings import Settings


def description() -> str:
    """The description as text, ending with a line break."""
    app = create_app(
        sessions=sessionmaker(create_engine("sqlite://")),
        ingest=None,
        clock=lambda: datetime(2000, 1, 1, tzinfo=UTC),
        settings=Settings(),
    )
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(description())
