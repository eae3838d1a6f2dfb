"""What can go wrong by a person's doing, or be put right by it."""


class Problem(Exception):
    """The message is a whole sentence: what is wrong, and what to do."""
