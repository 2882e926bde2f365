"""The document of a release: made from committed results (`collect`), kept (`shelve`), held against
itself (`verify`)."""
