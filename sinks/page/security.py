"""Headers that every answer carries: no script, style or frame but the page's own, nothing kept by the browser."""

from typing import Final

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
#: Pages hold personal data, so no cache on the way or in the browser keeps them.
NOT_KEPT: Final = {"Cache-Control": "no-store"}
#: A file whose address has its content's hash never changes.
KEPT: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


def from_elsewhere(site: str, mode: str) -> bool:
    """Whether a browser says that another site's page asks, by Sec-Fetch-Site and -Mode; opening a link is allowed."""
    return site in ("cross-site", "same-site") and mode != "navigate"
