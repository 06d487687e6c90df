"""What a mail is: a report, a notice in prose, a complaint, an automatic answer, or none of these."""
