"""Writes the committed JSON Schemas of protocol v1 from its models: `python -m devices.messages.generate`. Not part of any server."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from devices.messages.v1 import MODELS

FOLDER: Final = Path(__file__).parent / "schema"


def schemas() -> dict[str, str]:
    """File name to text, for every model that stands alone on the wire."""
    return {f"v1.{model.__name__.lower()}.json": _text(model.model_json_schema()) for model in MODELS}


def _text(schema: dict[str, Any]) -> str:
    full = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(full, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every schema, and remove what no model stands for any more."""
    FOLDER.mkdir(exist_ok=True)
    wanted = schemas()
    for path in FOLDER.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stderr.write(f"{FOLDER / name}\n")


if __name__ == "__main__":
    main()
