"""The token for Electricity Maps, kept by the system's keyring and nowhere else."""

import os

from monitor.carbon.live import LiveError

SERVICE, ACCOUNT = "llamawatt", "electricitymaps"

VARIABLE = "LLAMAWATT_ELECTRICITYMAPS_TOKEN"
"""For a machine without a keyring, such as a server."""

MOST_LETTERS = 200

NONE = (
    "Electricity Maps wants a token, which is free for personal use. Get one at "
    "https://portal.electricitymaps.com and enter it here."
)


def read_token() -> str:
    """Return the token.

    :raises LiveError: if there is none, or the keyring is locked or missing
    """
    if given := os.environ.get(VARIABLE):
        return checked(given)
    import keyring
    from keyring.errors import KeyringError

    try:
        kept = keyring.get_password(SERVICE, ACCOUNT)
    except (KeyringError, OSError) as error:
        raise _no_keyring(error) from None
    if not kept:
        raise LiveError(NONE, is_refused=True)
    return checked(kept)


def keep_token(token: str) -> None:
    """Put a token into the keyring, in place of the one before.

    :raises LiveError: if it cannot be one, or the keyring is locked or missing
    """
    import keyring
    from keyring.errors import KeyringError

    given = checked(token)
    try:
        keyring.set_password(SERVICE, ACCOUNT, given)
    except (KeyringError, OSError) as error:
        raise _no_keyring(error) from None


def forget_token() -> bool:
    """Remove the token from the keyring; return whether there was one.

    :raises LiveError: if the keyring is locked or missing
    """
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(SERVICE, ACCOUNT)
    except PasswordDeleteError:
        return False
    except (KeyringError, OSError) as error:
        raise _no_keyring(error) from None
    return True


def checked(token: str) -> str:
    """Return a token without the blanks around it.

    :raises LiveError: if it cannot be one; the text does not repeat it
    """
    token = token.strip()
    if not token:
        raise LiveError(NONE, is_refused=True)
    if len(token) > MOST_LETTERS or not (token.isascii() and token.isprintable()) or " " in token:
        raise LiveError(
            "That is no token: it is one word of plain letters and digits. Copy it once more.",
            is_refused=True,
        )
    return token


def _no_keyring(error: Exception) -> LiveError:
    return LiveError(
        f"The system's keyring cannot be used ({type(error).__name__}). Unlock or install one "
        f"(GNOME Keyring, KWallet), or set {VARIABLE} to the token.",
        is_refused=True,
    )
