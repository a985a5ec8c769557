"""Logins of the services, as HTTP has them."""

import base64


def basic(login: str) -> dict[str, str]:
    """The header that carries a login `user:password`; none for an empty one."""
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
