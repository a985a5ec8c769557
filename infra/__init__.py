"""How the services start: on one machine without containers (infra.services), and with compose (infra/compose)."""
