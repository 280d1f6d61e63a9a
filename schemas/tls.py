"""TLS to a server whose certificate is checked, by authorities of one's own or of the system."""

import ssl

from schemas.errors import SettingsError


def client_context(variable: str, authorities: str) -> ssl.SSLContext:
    """TLS 1.2 or newer to a server whose certificate these authorities have signed (a PEM file; empty: the system's).

    The certificate must be the server's by name. Raises SettingsError, naming the variable, for a file that holds no
    certificate.
    """
    try:
        context = ssl.create_default_context(cafile=authorities or None)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{variable} names {authorities}, which holds no PEM certificate: {error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
