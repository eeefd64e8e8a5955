"""`popback import …`: files that agencies and councils already have, with a dry run. Not the kinds of file (evm.services.imports)."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, opened, refuse

if TYPE_CHECKING:
    from evm.services.imports.kind import ImportKind

STOPPED = 130
ROWS_WITHOUT_PROGRESS = 1_000


class _Kinds(TyperGroup):
    """A first word that is no subcommand is a kind of file: `popback import customers FILE`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["file", *args]
        return super().resolve_command(ctx, args)


import_app = typer.Typer(
    cls=_Kinds,
    no_args_is_help=True,
    help="Take in files: `popback import KIND FILE`; `popback import kinds` names the kinds there are.",
)


@import_app.command("file", hidden=True)
def take_in(
    kind: Annotated[str, typer.Argument(help="What the file holds; `popback import kinds` names them.")],
    file: Annotated[Path, typer.Argument(help="A CSV file.")],
    *,
    layout: Annotated[
        str | None, typer.Option(help="A packaged layout's name, or a TOML file; default: columns named as ours.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="The file is of this provider only.")] = None,
    council: Annotated[str | None, typer.Option(help="The file is of this council only.")] = None,
    exported_at: Annotated[
        str | None, typer.Option(help="When it was exported, such as '2026-11-02 07:30': an older one is refused.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show what would change, keep nothing.")
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who takes it in; default: this user.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take a file in, whole or not at all."""
    from api import intake
    from api.intake_words import print_report

    wanted = kind_named(kind)
    with opened(data=data, database=database) as parts:
        try:
            report = intake.take_in(
                parts,
                kind=wanted,
                path=file,
                layout=layout,
                provider=provider,
                council=council,
                exported_at=exported_at,
                dry_run=dry_run,
                who=by or intake.user_name(),
                progress=_show_progress,
            )
        except intake.IntakeRefused as error:
            refuse(str(error))
        except KeyboardInterrupt:
            sys.stderr.write("\npopback: stopped: nothing of the file was taken in\n")
            raise typer.Exit(STOPPED) from None
    if as_json:
        emit(intake.answer_of(report), as_json=True)
    else:
        print_report(report)
    if report.refused:
        raise typer.Exit(2)


@import_app.command("kinds")
def list_kinds(*, as_json: AsJson = False) -> None:
    """The kinds of file there are, and their columns."""
    from evm.services.imports.kinds import KINDS

    if as_json:
        emit({"kinds": [_described(kind) for kind in KINDS]}, as_json=True)
        return
    for kind in KINDS:
        typer.echo(f"{kind.name}: {kind.words}")
        for field in kind.fields:
            typer.echo(f"    {field.name:26} {'needed  ' if field.required else 'optional'}  {field.words}")


@import_app.command("template")
def write_template(
    kind: Annotated[str, typer.Argument(help="Which kind; `popback import kinds` names them.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Where to; default: standard output.")] = None,
) -> None:
    """An example file of a kind: its header and one row."""
    from api.intake import template_of

    text = template_of(kind_named(kind))
    if out is None:
        sys.stdout.write(text)
        return
    try:
        with out.open("x", encoding="utf-8", newline="") as target:
            target.write(text)
    except OSError as error:
        refuse(f"--out {out} cannot be written ({error.strerror}): name a file that is not there yet")


@import_app.command("list")
def list_imports(
    *,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """What was taken in, the newest first: at most a hundred files."""
    from api.intake import record_answer
    from evm.store import imports

    wanted = None if kind is None else kind_named(kind).name
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        found = [record_answer(record) for record in imports.records(session, kind=wanted)]
    if as_json:
        emit({"imports": found}, as_json=True)
        return
    for each in found:
        counts = f"{each['new']} new, {each['changed']} changed, {each['same']} the same"
        typer.echo(f"{each['imported_at'][:16]}  {each['kind']:14} {each['file']} by {each['imported_by']}: {counts}")
    if not found:
        typer.echo("Nothing was taken in yet.")


def kind_named(name: str) -> "ImportKind":
    """The kind of that name, or the command ends with the names there are."""
    from evm.services.imports.kinds import KINDS

    found = {kind.name: kind for kind in KINDS}.get(name.replace("-", "_"))
    if found is None:
        refuse(f"there is no kind of file {name!r}; there are {', '.join(kind.name for kind in KINDS)}")
    return found


def _described(kind: "ImportKind") -> dict[str, object]:
    fields = [{"name": each.name, "required": each.required, "words": each.words} for each in kind.fields]
    return {"name": kind.name, "words": kind.words, "fields": fields}


def _show_progress(done: int, total: int) -> None:
    """One line, written over on a terminal; in a log, a line a thousand rows."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {total:,} rows" + ("\n" if done >= total else ""))
    elif total > ROWS_WITHOUT_PROGRESS:
        sys.stderr.write(f"{done:,} of {total:,} rows\n")
    sys.stderr.flush()
