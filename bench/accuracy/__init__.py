"""How accurate the bounce library is: the corpus, families put aside, laws, confusion, reliability."""
