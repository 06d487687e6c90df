"""Raw reports: mails and webhook events as they arrived, kept for a set time for whoever asks what was said."""
