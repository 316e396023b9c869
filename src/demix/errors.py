"""The one exception that demix shows to its users."""


class DemixError(Exception):
    """Bad input, told in one sentence.

    The message names the thing, what was expected, what came and what to do. The command line prints it
    without a traceback and exits with status 2; in Python it is an ordinary exception.

    Example:
        >>> raise DemixError("song.wav: expected 44100 Hz, received 48000 Hz; convert it first")
    """
