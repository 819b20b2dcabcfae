"""The one exception that means: the user can mend this."""


class InputError(ValueError):
    """A mistake in what was given: a file, a flag, an option, a line of text.

    Its message is one sentence that names the file, line, flag or option, what was expected and what came. The command
    line prints that sentence and exits with 1; every other exception is a defect of this package and keeps its
    traceback.
    """
