"""The one exception for mistakes that a user can mend."""


class UserError(ValueError):
    """Bad input or a full disk: one sentence that names the file or key, what was found, what was expected, what to do.

    `command.run` prints it without a traceback and exits with status 1.
    """
