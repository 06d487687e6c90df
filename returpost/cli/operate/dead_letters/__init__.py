"""`returpost dead-letters`: messages that a service could not process; look, replay, discard, restore, edit, export."""

import typer

from returpost.cli.operate.dead_letters import act, copies, look

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, show, replay, discard or restore dead letters."
)
app.command("list")(look.list_dead_letters)
app.command("show")(look.show)
app.command("note")(look.note)
app.command("replay")(act.replay)
app.command("discard")(act.discard)
app.command("restore")(act.restore)
app.command("edit")(copies.edit)
app.command("unpark")(copies.unpark)
app.command("export")(copies.export)
