"""The optional second factor: codes of an app (RFC 6238), recovery codes, the step of signing in that asks for one."""
