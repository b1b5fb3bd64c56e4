"""Files as they land: found, judged as a whole, and read as rows of raw text. Nothing is written here."""
