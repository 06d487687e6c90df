"""The command line of Returpost, and the library that senders and CRMs import."""
