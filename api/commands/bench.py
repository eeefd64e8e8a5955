"""`popback bench …`: measure popback beside its own bounds and baselines. Not the measuring itself (simulations.bench).

One command a file, `api/commands/bench_<name>.py`, which imports what it measures only when it is called.
"""

import typer

from api.commands.bench_instances import instances
from api.commands.bench_kept import kept
from api.commands.bench_peers import peers
from api.commands.bench_popback import popback
from api.commands.bench_roster import roster

bench_app = typer.Typer(no_args_is_help=True, help="Measure popback beside its own bounds and baselines, in one run.")
bench_app.command("roster")(roster)
bench_app.command("instances")(instances)
bench_app.command("popback")(popback)
bench_app.command("peers")(peers)
bench_app.command("kept")(kept)
