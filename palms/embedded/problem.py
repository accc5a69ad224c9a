"""The one exception of this folder: something the person at the keyboard can put right."""


class StartProblem(Exception):
    """A reason why something does not start, in words that say what to do. Printed without a traceback."""
