"""The bounce library: from the bytes of a mail, a webhook body or an SMTP reply to a verdict. No broker, no I/O."""
