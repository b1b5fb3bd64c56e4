"""Bronze: the rows of landed files as they came, as text, each file once."""
