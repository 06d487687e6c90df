"""MailSources in for mails besides HTTP: SMTP, LMTP, IMAP, Maildir and mbox. Each runs only when it is set up."""
