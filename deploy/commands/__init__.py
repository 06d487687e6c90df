"""What the server adds to the command line: whole commands, and parts of others. `returpost.cli.server` reads it."""

COMMANDS = {
    "up": ("up:up", "Start everything on this machine; Ctrl-C stops it.", "Run"),
    "down": ("down:down", "Stop what `up` or `demo` has started, from another terminal.", "Run"),
    "demo": ("demo:demo", "See it work: realistic bounce mails and a simulated mailing of 10,000.", "Run"),
    "simulate": ("simulate:simulate", "Submit a simulated mailing, as large and as broken as you like.", "Submit"),
    "topology": ("topology:app", "Declare or show exchanges, queues and users of the broker.", "Operate"),
    "migrate": ("migrate:migrate", "Bring roles, schemas and tables of the database up to date.", "Operate"),
    "upgrade": ("upgrade:app", "See what an upgrade to this release would do.", "Operate"),
    "backup": ("backup:backup", "Write database, streams, broker users and keys into a folder.", "Operate"),
    "restore": ("backup:restore", "Fill an empty database and broker with a backup.", "Operate"),
    "rebuild": ("rebuild:rebuild", "Build the blocklist's state anew, compare it, take over what differs.", "Operate"),
    "forget-tenant": ("forget_tenant:forget_tenant", "Remove all data of a tenant from every service.", "Operate"),
    "token": ("token:token", "Issue an API token.", "Operate"),
}
"""Name -> (`module:name` of a function or Typer app in this package, help, panel)."""

HOOKS = {
    "own_token": "hooks:own_token",
    "queue_states": "hooks:queue_states",
    "database_state": "hooks:database_state",
    "left_behind": "hooks:left_behind",
    "search_broker": "hooks:search_broker",
}
"""Name -> `module:name` of a function in this package; what each takes and returns stands on the function."""
