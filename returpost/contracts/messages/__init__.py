"""What every event and command says, a module a noun."""
