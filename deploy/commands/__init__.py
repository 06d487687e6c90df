"""Commands that need the server: start, stop, migrate, declare the topology. `returpost.cli` registers them."""

COMMANDS = {
    "up": ("up:up", "Start everything on this machine; Ctrl-C stops it.", "Run"),
    "down": ("down:down", "Stop what `up` or `demo` has started, from another terminal.", "Run"),
    "demo": ("demo:demo", "See it work: real-looking bounce mails and a mailing of 10,000.", "Run"),
    "simulate": ("simulate:simulate", "Hand in a made-up mailing, as large and as broken as you like.", "Hand in"),
    "topology": ("topology:app", "Declare or show exchanges, queues and users of the broker.", "Operate"),
    "migrate": ("migrate:migrate", "Bring roles, schemas and tables of the database up to date.", "Operate"),
}
"""Name -> (`module:name` of a function or Typer app in this package, help, panel)."""
