"""The one exception that demix shows to its users, and words that are safe to show."""


class DemixError(Exception):
    """Bad input, told in one sentence.

    The message names the thing, what was expected, what came and what to do. The command line prints it
    without a traceback and exits with status 2; in Python it is an ordinary exception.

    Example:
        >>> raise DemixError("song.wav: expected 44100 Hz, received 48000 Hz; convert it first")
    """


def printable(text: str) -> str:
    r"""Return a text with what is no letter, mark or space as an escape: a file's name must not steer a terminal.

    Example:
        >>> printable("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
